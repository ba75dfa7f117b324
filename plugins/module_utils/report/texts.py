# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every text of the page, in each language. What AWS says (events, reasons) stays as AWS says it."""

from __future__ import annotations

from typing import Any

LANGUAGES = ("en", "ko")

#: key -> (English, Korean). Both have the same placeholders.
TEXTS: dict[str, tuple[str, str]] = {
    "title": ("What runs", "실행 현황"),
    "made": ("As of {when}", "{when} 기준"),
    "account": ("Account", "계정"),
    "region": ("Region", "리전"),
    "window": ("Charts", "차트"),
    "last_hours": ("last {hours} h", "최근 {hours}시간"),
    "local": (
        "This is a local endpoint ({url}), not AWS: what is shown is recorded, or runs, on this machine.",
        "이것은 AWS가 아니라 로컬 엔드포인트({url})입니다. 여기 보이는 것은 이 컴퓨터에 기록되었거나 실행 중인 것입니다.",
    ),
    "problems": ("What could not be read", "조회하지 못한 항목"),
    "problem": (
        "{action} was refused, so what it tells is missing from this page: {message}",
        "{action} 호출이 거부되어 해당 내용이 빠져 있습니다: {message}",
    ),
    "problem_cut": (
        "Of the account's alarms only the first {cut} were looked through ({action}): others may be missing, here and in "
        "the costs.",
        "계정의 경보 중 처음 {cut}개만 조회했습니다({action}). 경보 목록과 비용에 빠진 것이 있을 수 있습니다.",
    ),
    "nothing": (
        "Nothing of this inventory is there yet. Make it: ansible-playbook site.yml",
        "인벤토리에 있는 것이 아직 없습니다. 생성: ansible-playbook site.yml",
    ),
    "nothing_read": (
        "Whether anything is there could not be read.",
        "무엇이 있는지 조회하지 못했습니다.",
    ),
    # sections
    "topology": ("What is connected to what", "구성도"),
    "health": ("Endpoints and health", "엔드포인트와 상태"),
    "deployments": ("Deployments and events", "배포와 이벤트"),
    "charts": ("Charts", "차트"),
    "arithmetic": ("Reserved: arithmetic and measurement", "예약: 계산값과 측정값"),
    "costs": ("What it costs a month", "월 비용"),
    "alarms": ("Alarms that are on", "발생 중인 경보"),
    # words
    "cluster": ("Cluster", "클러스터"),
    "service": ("Service", "서비스"),
    "endpoint": ("Endpoint", "엔드포인트"),
    "state": ("State", "상태"),
    "tasks": ("Tasks", "작업"),
    "targets": ("Targets", "대상"),
    "scaling": ("Scaling", "조정"),
    "revision": ("Task definition", "작업 정의"),
    "image": ("Image", "이미지"),
    "instance": ("Instance", "인스턴스"),
    "instances": ("Instances", "인스턴스"),
    "internet": ("Internet", "인터넷"),
    "internal": ("Inside the network", "내부 네트워크"),
    "load_balancer": ("Load balancer", "로드 밸런서"),
    "target_group": ("Target group", "대상 그룹"),
    "all_paths": ("all other paths", "그 외 모든 경로"),
    "fargate": ("Fargate", "Fargate"),
    "of": ("{some} of {all}", "{all}개 중 {some}개"),
    "running": ("{some} of {all} running", "{all}개 중 {some}개 실행 중"),
    "healthy": ("{some} of {all} healthy", "{all}개 중 {some}개 정상"),
    "registered": ("{number} registered", "{number}개 등록됨"),
    "no_targets": ("none", "없음"),
    "bounds": ("{low} to {high}", "{low}–{high}개"),
    "target_cpu": ("target {value} % CPU", "목표 CPU {value} %"),
    "target_memory": ("target {value} % memory", "목표 메모리 {value} %"),
    "target_requests": ("target {value} requests a minute per target", "목표 대상당 분당 요청 {value}건"),
    "target_other": ("target {value} of a metric of your own", "목표 사용자 지표 {value}"),
    "fixed": ("fixed", "고정"),
    "not_there": ("not there", "없음"),
    "draining": ("draining", "드레이닝"),
    "no_agent": ("agent not connected", "에이전트 연결 끊김"),
    "more_tasks": ("{number} tasks", "작업 {number}개"),
    "one_task": ("1 task", "작업 1개"),
    # states
    "good": ("steady", "안정"),
    "moving": ("changing", "변경 중"),
    "bad": ("needs a look", "확인 필요"),
    "gone": ("not there", "없음"),
    "unknown": ("not read", "조회 못함"),
    "idle": ("0 tasks wanted", "원하는 작업 수 0"),
    # deployments
    "now": ("Now", "현재"),
    "rollout": ("Roll-out", "롤아웃"),
    "failed_tasks": ("{number} failed", "{number}개 실패"),
    "started": ("Started", "시작"),
    "finished": ("Finished", "종료"),
    "history": ("Deployments", "배포 이력"),
    "events": ("Last events", "최근 이벤트"),
    "ended": ("Tasks that ended lately", "최근 종료된 작업"),
    "why": ("Why", "이유"),
    "at": ("When", "시각"),
    "what": ("What", "내용"),
    "task": ("Task", "작업"),
    "nothing_ended": (
        "None that ECS still remembers (it forgets after about an hour).",
        "ECS에 남아 있는 기록이 없습니다(약 1시간 후 삭제됨).",
    ),
    "by_itself": ("by itself", "스스로 종료"),
    "on_purpose": ("on purpose", "의도된 종료"),
    "no_events": ("None.", "없음."),
    # charts
    "service_utilization": ("CPU and memory used", "CPU·메모리 사용률"),
    "cluster_reservation": ("CPU and memory reserved", "CPU·메모리 예약률"),
    "cluster_utilization": ("CPU and memory used", "CPU·메모리 사용률"),
    "service_tasks": ("Tasks", "작업 수"),
    "cluster_instances": ("Instances", "인스턴스 수"),
    "service_requests": ("Requests", "요청 수"),
    "service_latency": ("Time to answer", "응답 시간"),
    "service_errors": ("5xx answers", "5xx 응답"),
    "percent_reserved_of_service": ("% of what tasks reserve", "작업 예약량 대비 %"),
    "percent_of_cluster": ("% of the cluster", "클러스터 전체 대비 %"),
    "count": ("number", "개수"),
    "per_minutes": ("in {minutes} min", "{minutes}분당"),
    "seconds": ("seconds", "초"),
    "cpu": ("CPU", "CPU"),
    "memory": ("memory", "메모리"),
    "line_running": ("running", "실행 중"),
    "line_desired": ("wanted", "원하는 수"),
    "line_healthy": ("healthy targets (fewest in a minute)", "정상 대상(분당 최소)"),
    "line_unhealthy": ("unhealthy", "비정상"),
    "line_instances": ("in service", "서비스 중"),
    "line_counted": ("container instances", "컨테이너 인스턴스"),
    "line_requests": ("requests", "요청"),
    "line_errors": ("from the program", "프로그램"),
    "line_balancer_errors": ("from the load balancer", "로드 밸런서"),
    "line_p50": ("half of them (p50)", "절반(p50)"),
    "line_p99": ("99 of 100 (p99)", "100건 중 99건(p99)"),
    "line_target": ("the scaler's target {value}", "조정 목표 {value}"),
    "line_bounds": ("fewest {low} and most {high}", "최소 {low}, 최대 {high}"),
    "newest": ("now {value}", "현재 {value}"),
    "in_all": ("{value} in all", "총 {value}"),
    "most": ("highest {value}", "최고 {value}"),
    "no_values": ("No values in this time.", "이 시간 동안 값이 없습니다."),
    "no_values_local": (
        "No values: the local endpoint does not measure this.",
        "값 없음: 로컬 엔드포인트는 이것을 측정하지 않습니다.",
    ),
    "no_values_group": (
        "No values. The Auto Scaling group counts its instances from when playbooks/cluster.yml has switched its group "
        "metrics on (free), and the cluster does with Container Insights.",
        "값이 없습니다. playbooks/cluster.yml이 Auto Scaling 그룹의 그룹 지표(무료)를 켠 뒤부터, 또는 Container Insights를 켜면 "
        "인스턴스 수가 집계됩니다.",
    ),
    "no_errors": (
        "None in this time ({requests} requests).",
        "이 시간 동안 없음(요청 {requests}건).",
    ),
    "no_drawing": (
        "There are values, but the Python package matplotlib isn't installed: {command}. Newest: {newest}.",
        "값은 있지만 Python 패키지 matplotlib이 설치되어 있지 않습니다: {command}. 최근 값: {newest}.",
    ),
    "counting_note": (
        "Without Container Insights nobody counts tasks; shown is what the load balancer finds healthy.",
        "Container Insights가 없으면 작업 수가 집계되지 않으므로, 로드 밸런서가 정상으로 보는 대상을 표시합니다.",
    ),
    # arithmetic
    "arithmetic_lead": (
        "What running tasks reserve of what the container instances register. In a deployment up to {percent} % of the "
        "tasks run at once.",
        "실행 중인 작업이 컨테이너 인스턴스 등록량에서 차지하는 비율입니다. 배포 중에는 작업이 최대 {percent} %까지 동시에 실행됩니다.",
    ),
    "arithmetic_lead_several": (
        "What running tasks reserve of what the container instances register, and at most while one of the services is "
        "being deployed.",
        "실행 중인 작업이 컨테이너 인스턴스 등록량에서 차지하는 비율과, 서비스 하나를 배포하는 동안의 최대값입니다.",
    ),
    "formula": (
        "{tasks} × {each} of {all} {unit} = {percent} %",
        "{all} {unit} 중 {tasks} × {each} = {percent} %",
    ),
    "units": ("CPU units", "CPU 유닛"),
    "mib": ("MiB", "MiB"),
    "reserved_now": ("Now, by arithmetic", "현재(계산값)"),
    "reserved_deploying": ("In a deployment, at most", "배포 중 최대(계산값)"),
    "measured": ("Measured", "측정값"),
    "measured_now": ("newest {value} %", "최근 {value} %"),
    "measured_most": ("highest {value} %", "최고 {value} %"),
    "not_measured": ("no values", "값 없음"),
    "together": ("together", "합계"),
    "room": ("At rest there is room for {number} more tasks of this size.", "이 크기의 작업을 {number}개 더 실행할 여유가 있습니다."),
    # costs
    "costs_lead": (
        "List prices of {region}, on demand, known of {as_of}, in US dollars and {hours} hours a month.",
        "{region} 리전의 온디맨드 정가({as_of} 기준), 미국 달러, 월 {hours}시간 기준입니다.",
    ),
    "own_prices": (
        "Prices of your own (report_prices) go before the table's.",
        "직접 지정한 가격(report_prices)을 우선합니다.",
    ),
    "costs_without": (
        "Not counted: traffic and the load balancer's capacity units (LCU), logs, other metrics and dashboards, images in "
        "the registry, builds and pipelines, T instances' extra CPU credits, taxes. Free tier, savings plans and discounts "
        "lower it.",
        "제외: 트래픽과 로드 밸런서 용량 단위(LCU), 로그·그 밖의 지표·대시보드, 레지스트리 이미지, 빌드와 파이프라인, T 인스턴스 추가 CPU "
        "크레딧, 세금. 프리 티어, 절약 플랜, 할인이 있으면 더 낮아집니다.",
    ),
    "costs_local": (
        "Nothing is billed here: this is what the same would cost on AWS.",
        "여기서는 비용이 발생하지 않습니다. 같은 구성이 AWS에서 드는 비용입니다.",
    ),
    "no_prices": (
        "No prices of {region} are known here. Set report_prices, such as {example}.",
        "{region} 리전의 가격 정보가 없습니다. report_prices를 설정하십시오. 예: {example}",
    ),
    "no_price": ("no price known", "가격 정보 없음"),
    "amount": ("Amount", "수량"),
    "unit_price": ("Price", "단가"),
    "month": ("A month", "월"),
    "an_hour": ("{price} an hour", "시간당 {price}"),
    "a_month": ("{price} a month", "월 {price}"),
    "total": ("Together", "합계"),
    "total_incomplete": ("Together, of what has a price", "합계(가격이 있는 항목만)"),
    "cost_load_balancer": ("Application Load Balancer", "Application Load Balancer"),
    "cost_address": ("Public IPv4 address", "퍼블릭 IPv4 주소"),
    "cost_volume": ("Volume storage {type}, GB", "볼륨 스토리지 {type}, GB"),
    "cost_instance": ("EC2 instance {type}, Linux", "EC2 인스턴스 {type}, Linux"),
    "cost_fargate_cpu": ("Fargate, vCPU", "Fargate, vCPU"),
    "cost_fargate_memory": ("Fargate memory, GB", "Fargate 메모리, GB"),
    "cost_alarm": ("CloudWatch alarm, metrics it reads", "CloudWatch 경보(읽는 지표 수)"),
    "cost_monitoring": ("EC2 detailed monitoring, instance", "EC2 세부 모니터링, 인스턴스"),
    # end
    "footer": (
        "Made by the collection handson.ecs: ansible-playbook playbooks/report.yml makes it anew. It only reads, and "
        "holds neither environment variables nor secrets.",
        "handson.ecs 컬렉션이 작성: ansible-playbook playbooks/report.yml 로 다시 만들 수 있습니다. 읽기만 하며 환경 변수나 비밀 값은 "
        "포함하지 않습니다.",
    ),
}


class Texts:
    """The texts of one language: `say("of", some=1, all=2)`."""

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"report_language is {language!r}; it is one of {', '.join(LANGUAGES)}.")
        self.language = language
        self._index = LANGUAGES.index(language)

    def __call__(self, key: str, **values: Any) -> str:
        text = TEXTS[key][self._index]
        return text.format(**values) if values else text
