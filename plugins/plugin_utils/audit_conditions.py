# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The conditions of custom controls, evaluated by Ansible's own template engine on the controller.

Ansible renders a text as a template only where that text is trusted. The condition is made so; what comes from the cluster never
is, so a name such as ``{{ lookup('pipe', 'id') }}`` is a text like any other.
"""

from __future__ import annotations

import typing as t

import jinja2
from ansible.errors import AnsibleError
from ansible.template import Templar, trust_as_template
from jinja2 import nodes
from jinja2.parser import Parser

from ansible_collections.determined.ai.plugins.module_utils._audit.custom import Path
from ansible_collections.determined.ai.plugins.module_utils._kinds.kind import Normal
from ansible_collections.determined.ai.plugins.module_utils._kinds.lookup import nearest
from ansible_collections.determined.ai.plugins.module_utils._kinds.masking import masked_text
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption

RESOURCE = "resource"

NAMES = frozenset({RESOURCE, "now", "range", "dict"})
"""What a condition can name. No variables, as its result must depend on the cluster alone, and no lookups: one that is given
something of the cluster's could be made to run it."""

METHODS = frozenset({"get", "items", "keys", "values"})
"""Methods of a mapping, which are none of its fields."""

HOLDS, HOLDS_NOT = "1", "0"

PAGE = (
    "{{% for resource in resources %}}{{% set found = ({}) %}}"
    "{{{{ '1' if found is sameas true else '0' if found is sameas false else '?' }}}}{{% endfor %}}"
)
"""One template for many resources: compiling one costs more than evaluating it a dozen times."""

LONGEST = 300
"""How much of an error's text is told, in characters."""


class TemplarConditions:
    """Evaluates conditions; see `_audit.custom.Conditions`.

    :param templar: any: its variables are not used.
    """

    def __init__(self, templar: Templar) -> None:
        self._templar = templar

    def references(self, condition: str) -> list[Path]:
        """What a condition reads of ``resource``, each once.

        :raises InvalidOption: it is no condition, in words that go on from it.
        """
        if condition.lstrip().startswith(("{{", "{%")):
            raise InvalidOption("it must be the bare expression, without {{ }} around it.")
        try:
            parser = Parser(jinja2.Environment(autoescape=True), condition, state="variable")
            expression = parser.parse_expression()
            if not parser.stream.eos:
                raise InvalidOption(f"it is no expression: {parser.stream.current.value!r} is one too many.")
        except jinja2.TemplateSyntaxError as error:
            raise InvalidOption(f"it is no expression: {_sentence(error.message or error)}") from error
        found = _References(expression)
        for name in found.names:
            if name not in NAMES:
                raise InvalidOption(
                    f"{name!r} is not known here, only {RESOURCE} is.{nearest(name, [RESOURCE])} A text stands in quotes."
                )
        if RESOURCE not in found.names:
            raise InvalidOption(f"it does not depend on {RESOURCE}.")
        try:
            # No resource: all that is done is to compile it, which looks up its filters and tests.
            self._render(condition, [])
        except AnsibleError as error:
            raise InvalidOption(f"it can't be evaluated: {_why(error)}") from error
        return found.paths

    def evaluate(self, condition: str, resources: t.Sequence[Normal]) -> list[bool | str]:
        """Whether the condition holds for each resource, or a sentence on why that can't be told.

        As with ``when``, a result that is neither true nor false is an error.
        """
        try:
            return [_result(mark) for mark in self._render(condition, resources)]
        except AnsibleError:
            # One of them is the cause, and the others must not suffer from it.
            return [self._evaluate_one(condition, resource) for resource in resources]

    def _evaluate_one(self, condition: str, resource: Normal) -> bool | str:
        try:
            return _result(self._render(condition, [resource]))
        except AnsibleError as error:
            return f"The condition can't be evaluated: {_why(error)}"

    def _render(self, condition: str, resources: t.Sequence[Normal]) -> str:
        """A character for each resource.

        :raises AnsibleError: the condition can't be evaluated for one of them.
        """
        templar = self._templar.copy_with_new_env(available_variables={"resources": list(resources)})
        # Backslashes are those of the condition, as in `when`.
        found = templar.template(trust_as_template(PAGE.format(condition)), escape_backslashes=False)
        return str(found or "")


class _References:
    """What an expression names.

    :ivar names: the names of variables.
    :ivar paths: what is read of ``resource``, as far as that is written out.
    """

    def __init__(self, expression: nodes.Node) -> None:
        self.names: list[str] = []
        self._paths: dict[Path, None] = {}
        self._visit(expression)

    @property
    def paths(self) -> list[Path]:
        return list(self._paths)

    def _visit(self, node: nodes.Node) -> None:
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in METHODS:
            self._visit_method(node, node.node)
            return
        if isinstance(node, nodes.Name):
            self.names.append(node.name)
        steps = self._steps(node)
        if steps:
            self._paths[tuple(steps)] = None
        if isinstance(node, (nodes.Getattr, nodes.Getitem)):
            self._visit_inside(node)
            return
        for child in node.iter_child_nodes():
            self._visit(child)

    def _visit_method(self, call: nodes.Call, method: nodes.Getattr) -> None:
        """A call such as ``resource.get('name')``, which reads what it is a method of, and with ``get`` one field of that."""
        steps = self._steps(method.node)
        asked = call.args[0] if method.attr == "get" and call.args else None
        if steps is not None and isinstance(asked, nodes.Const) and isinstance(asked.value, str):
            steps = [*steps, asked.value]
        if steps:
            self._paths[tuple(steps)] = None
            self._visit_inside(method)
        else:
            self._visit(method.node)
        for child in (*call.args, *call.kwargs):
            self._visit(child)

    def _visit_inside(self, node: nodes.Node) -> None:
        """Visit what a chain of attributes begins with, and what stands in its brackets; the chain itself is known."""
        while isinstance(node, (nodes.Getattr, nodes.Getitem)):
            if isinstance(node, nodes.Getitem):
                self._visit(node.arg)
            node = node.node
        self._visit(node)

    def _steps(self, node: nodes.Node) -> list[str | int] | None:
        """The steps from ``resource`` to a node, up to one that only its evaluation can tell; None if it does not begin there."""
        steps: list[str | int] = []
        while isinstance(node, (nodes.Getattr, nodes.Getitem)):
            if isinstance(node, nodes.Getattr):
                steps.insert(0, node.attr)
            elif isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, (str, int)):
                steps.insert(0, node.arg.value)
            else:
                steps.clear()
            node = node.node
        return steps if isinstance(node, nodes.Name) and node.name == RESOURCE else None


def _result(mark: str) -> bool | str:
    if mark in (HOLDS, HOLDS_NOT):
        return mark == HOLDS
    return "The condition must be true or false, and is neither."


def _why(error: AnsibleError) -> str:
    """An error as one sentence. It may quote the resource, of which the secrets are masked; and the condition."""
    text = masked_text(_sentence(error))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _sentence(error: object) -> str:
    return f"{' '.join(str(error).split()).rstrip('.')}."
