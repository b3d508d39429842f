"""The index of a sum, product or limit: a name of its own, whatever letter it is written with."""

from __future__ import annotations

from harness.graders.latex.syntax import Apply, Expr, Symbol, walk

_BINDING = frozenset({"big sum", "big prod", "big lim"})
_NAME = "index "


def with_own_index(applied: Apply) -> Apply:
    """The operation with its index renamed: `i` is no imaginary unit there, and `k` is as good."""
    bounds = applied.args[:-1]
    low = next((bound for bound in bounds if isinstance(bound, Apply) and bound.op == "_"), None)
    if applied.op not in _BINDING or low is None or len(low.args) != 2:
        return applied
    index = low.args[0]
    if not isinstance(index, Symbol):
        return applied
    body = applied.args[-1]
    name = f"{_NAME}{1 + max(map(_number, walk(body)), default=0)}"
    own = Apply("_", (Symbol(name), low.args[1]))
    others = tuple(own if bound is low else bound for bound in bounds)
    return Apply(applied.op, (*others, _renamed(body, index.name, name)))


def _number(node: Expr) -> int:
    if isinstance(node, Symbol) and node.name.startswith(_NAME):
        return int(node.name.removeprefix(_NAME))
    return 0


def _renamed(expr: Expr, old: str, new: str) -> Expr:
    if isinstance(expr, Symbol):
        if expr.name == old:
            return Symbol(new)
        if expr.name.endswith(f"_{old}"):
            return Symbol(f"{expr.name.removesuffix(old)}{new}")
        return expr
    if isinstance(expr, Apply):
        return Apply(expr.op, tuple(_renamed(arg, old, new) for arg in expr.args))
    return expr
