"""docs/servers.md against the servers: each cell of its tables is what the server does now."""

from __future__ import annotations

import pytest

from tests.support.server_facts import PAGE, TABLES, TITLES, expected, measured, page
from tests.support.servers import RealServer


@pytest.mark.servers
def test_a_server_does_what_its_row_says(server: RealServer) -> None:
    assert measured(server) == expected()[server.name]


def test_the_page_has_a_cell_for_each_server_and_fact() -> None:
    facts = expected()
    columns = [name for found in TABLES.values() for name in found]
    assert list(facts) == list(TITLES)
    assert all(list(cells) == columns for cells in facts.values())
    assert PAGE.read_text(encoding="utf-8") == page(), "make docs writes the tables"
