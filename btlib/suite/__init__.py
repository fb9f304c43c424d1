"""The suite: the benchmarks of every case. Run it with `pytest --pyargs btlib.suite -m smoke`.

In a checkout of btlib the same tests are in `benchmarks/`. An installed btlib has its baselines in this package.
"""
