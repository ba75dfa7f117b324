# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's style sheet: a screen, a phone, paper. Fonts are those of the reader's machine, Hangul among them."""

STYLE = """
:root{--ink:#1d2733;--dim:#5d6b7a;--line:#d5dce3;--back:#f4f6f8;--card:#fff;--blue:#0072b2}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans","Apple SD Gothic Neo","Malgun Gothic","Noto Sans KR","Noto Sans CJK KR",sans-serif}
:lang(ko){word-break:keep-all;overflow-wrap:anywhere}
header,main,footer{max-width:1240px;margin:0 auto;padding:0 20px}
header{padding-top:26px}
h1{font-size:27px;line-height:1.2;margin:0}
h2{font-size:19px;margin:0 0 12px;padding-bottom:6px;border-bottom:2px solid var(--ink)}
h3{font-size:16px;margin:0 0 8px}
h4{font-size:13.5px;margin:16px 0 5px;color:var(--dim);font-weight:600}
p{margin:6px 0 10px}
a{color:var(--blue)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin:18px 0}
.of+.of{margin-top:26px;padding-top:20px;border-top:1px solid var(--line)}
.dim{color:var(--dim)}
.small{font-size:12.5px}
.lead{font-size:17px}
.note{background:#fff6e0;border:1px solid #ecd9a4;border-radius:8px;padding:8px 12px}
ul.note{padding-left:28px}
.facts span{display:inline-block;margin-right:18px}
.glance{list-style:none;display:flex;flex-wrap:wrap;gap:8px;padding:0;margin:12px 0 0}
.glance li{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:6px 12px}
.badge{display:inline-block;border-radius:10px;padding:0 9px;font-size:12.5px;font-weight:600;color:#fff;
background:var(--dim);white-space:nowrap;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.badge.good{background:#177245}.badge.moving{background:#a05e00}.badge.bad,.badge.gone{background:#c0152f}
table{width:100%;border-collapse:collapse;font-size:14px;margin:0 0 8px}
th{text-align:left;font-size:12.5px;font-weight:600;color:var(--dim);border-bottom:1px solid var(--line);
padding:4px 10px 4px 0}
td{vertical-align:top;border-bottom:1px solid var(--line);padding:6px 10px 6px 0;overflow-wrap:break-word}
td .small,td .url,.log td,.alarms td{overflow-wrap:anywhere}
tr:last-child td{border-bottom:0}
.log td:first-child{white-space:nowrap;font-variant-numeric:tabular-nums;color:var(--dim);width:118px}
.numbers td{font-variant-numeric:tabular-nums}
figure{margin:0}
section>figure+figure{margin-top:22px}
figcaption{font-weight:600;margin-bottom:6px}
.unit{font-weight:400;color:var(--dim);font-size:12.5px;margin-left:8px}
svg{display:block;width:100%;height:auto;font-family:inherit}
svg.narrow{display:none}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(330px,1fr));gap:22px 26px}
.chart.empty .none{border:1px dashed var(--line);border-radius:8px;padding:16px;color:var(--dim);margin:0}
.chart svg *{stroke-linejoin:round}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;margin:4px 0 0;padding:0;font-size:12.5px}
.key{display:inline-block;width:18px;border-top:3px solid;vertical-align:middle;margin-right:6px}
.key.dashed{border-top-style:dashed}.key.dotted{border-top:2px dotted}
footer{color:var(--dim);font-size:12.5px;padding-bottom:30px}
@media screen and (max-width:720px){
body{font-size:15px}
header,main,footer{padding-left:12px;padding-right:12px}
header{padding-top:18px}
h1{font-size:23px}
section{padding:14px 12px;margin:12px 0}
svg.wide{display:none}svg.narrow{display:block}
.grid{grid-template-columns:1fr}
.glance{display:block}.glance li{margin-bottom:6px}
thead{display:none}
table,tbody,tr,td{display:block;width:100%}
tr{border-bottom:1px solid var(--line);padding:7px 0}
tr:last-child{border-bottom:0}
td{border:0;padding:1px 0 1px 106px;position:relative;min-height:22px}
td:empty{display:none}
td::before{content:attr(data-label);position:absolute;left:0;width:98px;color:var(--dim);font-size:12.5px}
.log td,.log td:first-child{padding-left:0;width:auto;white-space:normal}
.log td::before{position:static;display:none}
}
@media print{
@page{margin:14mm}
body{background:#fff;font-size:10.5pt}
header,main,footer{max-width:none;padding-left:0;padding-right:0}
section{border:0;padding:0;margin:14pt 0}
.grid{grid-template-columns:1fr 1fr;gap:12pt}
svg.wide{display:block}svg.narrow{display:none}
figure,tr,.glance li,.alarms{break-inside:avoid}
h2,h3,h4{break-after:avoid}
a{color:inherit;text-decoration:none}
.note{background:#fff}
}
""".strip()
