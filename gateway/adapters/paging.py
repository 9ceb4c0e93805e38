"""Pages of a list: where one ends the next begins, whatever was added in between."""

from typing import Any

from sqlalchemy import ColumnElement, Select, tuple_

from gateway.api.ports import PageRequest


def newest_first(query: Select[Any], at: ColumnElement[Any], id: ColumnElement[Any], page: PageRequest) -> Select[Any]:
    """The page's rows, by time and id downwards, after the position (time, id) in ``page.after``."""
    query = query.order_by(at.desc(), id.desc()).limit(page.limit)
    return query if page.after is None else query.where(tuple_(at, id) < tuple_(*page.after))
