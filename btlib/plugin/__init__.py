"""The pytest plugin: it turns cases into test items, runs each case once, and writes the files of a run.

Every pytest session loads it by its entry point. So nothing heavy is imported before a benchmark is collected.
"""

from btlib.plugin.fixtures import bt_case, bt_metric, bt_run, bt_tier
from btlib.plugin.gate import bt_gate
from btlib.plugin.hooks import (
    pytest_addoption,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_configure_node,
    pytest_generate_tests,
    pytest_plugin_registered,
    pytest_report_collectionfinish,
    pytest_runtest_makereport,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_terminal_summary,
    pytest_unconfigure,
)

__all__ = [
    "bt_case",
    "bt_gate",
    "bt_metric",
    "bt_run",
    "bt_tier",
    "pytest_addoption",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_generate_tests",
    "pytest_plugin_registered",
    "pytest_report_collectionfinish",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
    "pytest_unconfigure",
]
