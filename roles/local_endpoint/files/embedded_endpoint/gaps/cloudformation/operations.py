# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What CloudFormation does to a stack: create, update, delete, and roll back what failed.

One resource after the other, each after those that it needs; AWS does what it can at the same time, but nothing here
takes time. Whatever goes wrong is a failure of the resource, told in its event: an API's refusal, or moto's exception.
"""

from moto.core.utils import utcnow

from embedded_endpoint.gaps.cloudformation import parameters
from embedded_endpoint.gaps.cloudformation import types
from embedded_endpoint.gaps.cloudformation.errors import Failure, reason
from embedded_endpoint.gaps.cloudformation.resources import Resource, changed_properties
from embedded_endpoint.gaps.cloudformation.steps import Steps, Wish
from embedded_endpoint.gaps.cloudformation.template import dependency_order


class Operation(Steps):
    """One operation on a stack. The public methods are what the API starts; they raise nothing."""

    # -- create

    def create(self, wish: Wish) -> None:
        """Make all resources; roll back if one fails, or as OnFailure says."""
        self.take_over(wish)
        self.stack.event("CREATE_IN_PROGRESS", "User Initiated")
        self.stack.tell(1)
        failed = self._create_all(wish)
        if failed is None:
            self.stack.event("CREATE_COMPLETE")
            return
        on_failure = wish.options.get("OnFailure") or (
            "DO_NOTHING" if wish.options.get("DisableRollback") else "ROLLBACK"
        )
        if on_failure == "DO_NOTHING":
            self.stack.event("CREATE_FAILED", failed)
        elif on_failure == "DELETE":
            self._delete_stack(failed + "Delete requested by user.", "DELETE")
        else:
            self._delete_stack(failed + "Rollback requested by user.", "ROLLBACK")

    def _create_all(self, wish: Wish) -> str | None:
        """Make all resources and work out the outputs. The stack's reason if something failed."""
        name = ""
        try:
            parameters.check_existence(wish.template, wish.values, self.stack.api)
            resolver = self.resolver(wish)
            for name in dependency_order(wish.template):
                if not resolver.wanted(wish.template["Resources"][name]):
                    continue
                if not self.make(self.draft(wish, resolver, name)):
                    return f"The following resource(s) failed to create: [{name}]. "
            self.stack.outputs = self.outputs(resolver)
        except Exception as error:  # noqa: BLE001
            return f"{reason(error).rstrip('.')}. "
        return None

    def _delete_stack(self, why: str | None, verb: str, retain: tuple[str, ...] = ()) -> None:
        self.stack.event(f"{verb}_IN_PROGRESS", why)
        failed = self.delete_all(list(self.stack.resources.values()), retain)
        if failed:
            self.stack.event(f"{verb}_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}]. ")
            return
        self.stack.outputs = []
        if verb == "DELETE":
            self.stack.deleted = utcnow()
        self.stack.event(f"{verb}_COMPLETE")

    # -- delete

    def delete(self, retain: tuple[str, ...] = ()) -> None:
        """Delete all resources that there are (still)."""
        self.stack.deleted = utcnow()
        self._delete_stack("User Initiated", "DELETE", retain)
        self.stack.tell(1)

    # -- update

    def update(self, wish: Wish, roll_back: bool = True) -> None:
        """Bring the resources to what the template says; back to where they were if one fails."""
        stack = self.stack
        before = Wish(stack.text, stack.template, stack.parameters, stack.values, stack.tags, dict(stack.options))
        had = dict(stack.resources)
        self.take_over(wish)
        stack.updated = utcnow()
        stack.event("UPDATE_IN_PROGRESS", "User Initiated")
        stack.tell(1)
        touched: list[str] = []
        failed = self._update_all(wish, had, touched)
        if failed is None:
            stack.event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self._clean_up(wish, had)
            stack.event("UPDATE_COMPLETE")
            return
        new = [stack.resources[name] for name in touched if name in stack.resources]
        made = [
            each for each in new if each.logical_id not in had or each.physical_id != had[each.logical_id].physical_id
        ]
        stack.way_back = {"to": before, "had": had, "touched": touched, "made": made}
        if roll_back:
            self._roll_back(failed)
        else:
            stack.event("UPDATE_FAILED", failed)

    def _update_all(self, wish: Wish, had: dict[str, Resource], touched: list[str]) -> str | None:
        try:
            parameters.check_existence(wish.template, wish.values, self.stack.api)
            resolver = self.resolver(wish)
            for name in dependency_order(wish.template):
                if not resolver.wanted(wish.template["Resources"][name]):
                    continue
                draft = self.draft(wish, resolver, name)
                if name not in had:
                    touched.append(name)
                    if not self.make(draft):
                        return f"The following resource(s) failed to create: [{name}]. "
                elif not self._change(draft, had[name], touched):
                    return f"The following resource(s) failed to update: [{name}]. "
            self.stack.outputs = self.outputs(resolver)
        except Exception as error:  # noqa: BLE001
            return f"{reason(error).rstrip('.')}. "
        return None

    def _change(self, draft: Resource, old: Resource, touched: list[str]) -> bool:
        """Change a resource, if there is something to change. False if it failed."""
        changed = changed_properties(draft.properties, old.properties)
        if not changed and draft.tags == old.tags:
            old.policy, old.needs = draft.policy, draft.needs
            return True
        touched.append(draft.logical_id)
        try:
            handler = self.handler(draft)
            self.check(draft)
            replaced = self.replaced(draft, old, changed)
        except Exception as error:  # noqa: BLE001
            self.stack.event("UPDATE_FAILED", reason(error), old)
            return False
        if replaced:
            why = "Requested update requires the creation of a new physical resource; hence creating one."
            return self.make(draft, "UPDATE", why)
        draft.physical_id, draft.state = old.physical_id, dict(old.state)
        self.stack.event("UPDATE_IN_PROGRESS", None, draft)
        self.stack.resources[draft.logical_id] = draft
        try:
            handler.update(draft, old)
        except Exception as error:  # noqa: BLE001
            self.stack.event("UPDATE_FAILED", reason(error, handler.service), draft)
            return False
        self.stack.event("UPDATE_COMPLETE", None, draft)
        return True

    def replaced(self, draft: Resource, old: Resource, changed: set[str]) -> bool:
        """Whether a change makes a new physical resource. Failure if that one would have the old one's name."""
        region, handler = self.stack.api.region, self.handler(draft)
        ways = {name: types.recreation(draft.kind, region, name) for name in changed}
        if not any(
            way == "Always" or (way == "Conditionally" and handler.replaces(name, draft, old))
            for name, way in ways.items()
        ):
            return False
        name = types.identifying_name(draft.kind, region)
        if name and name in draft.properties and name not in changed:
            raise Failure(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename "
                f"{draft.properties[name]} and update the stack again."
            )
        return True

    def _clean_up(self, wish: Wish, had: dict[str, Resource]) -> None:
        """Delete what was replaced or left out. What can't be deleted stays, and the stack is complete all the same."""
        resolver, now, stale = self.resolver(wish), self.stack.resources, []
        for old in had.values():
            part = wish.template["Resources"].get(old.logical_id)
            if part is None or not resolver.wanted(part):
                stale.append(old)
            elif now[old.logical_id].physical_id != old.physical_id:
                old.policy = {"DeletionPolicy": now[old.logical_id].policy.get("UpdateReplacePolicy")}
                stale.append(old)
        self.delete_all(stale)
        for each in stale:
            self.forget(each)

    def _roll_back(self, why: str, skip: tuple[str, ...] = ()) -> None:
        stack, before, had, made = self.stack, *(self.stack.way_back[key] for key in ("to", "had", "made"))
        stack.event("UPDATE_ROLLBACK_IN_PROGRESS", why)
        self.take_over(before)
        resolver, failed = self.resolver(before), []
        for name in dependency_order(before.template):
            if name not in stack.way_back["touched"] or name not in had:
                continue
            if not self._restore(self.draft(before, resolver, name), had[name], name in skip):
                failed.append(name)
        if failed:
            names = ", ".join(failed)
            stack.event("UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{names}]. ")
            return
        stack.event("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        for each in made:
            each.policy = {}
        self.delete_all(made)
        for each in made:
            self.forget(each)
        stack.way_back = {}
        stack.event("UPDATE_ROLLBACK_COMPLETE")

    def _restore(self, draft: Resource, old: Resource, skipped: bool) -> bool:
        """Bring a resource back to what it was. False if that failed."""
        stack, name = self.stack, old.logical_id
        current = stack.resources[name]
        stack.event("UPDATE_IN_PROGRESS", None, old)
        if current in stack.way_back["made"]:  # it was being replaced: the old one is still there
            stack.resources[name] = old
        elif not skipped:
            draft.physical_id, draft.state = old.physical_id, dict(current.state)
            try:
                self.handler(draft).update(draft, current)
            except Exception as error:  # noqa: BLE001
                stack.event("UPDATE_FAILED", reason(error, self.service_of(old)), old)
                return False
            stack.resources[name] = draft
        stack.event("UPDATE_COMPLETE", None, stack.resources[name])
        return True

    # -- the rest of a roll-back

    def roll_back(self, skip: tuple[str, ...] = ()) -> None:
        """Go on with a roll-back that failed, or begin one that the caller of the operation didn't want."""
        if self.stack.shown_status == "CREATE_FAILED":
            self._delete_stack("User Initiated", "ROLLBACK")
        else:
            self._roll_back("User Initiated", skip)
        self.stack.tell(1)
