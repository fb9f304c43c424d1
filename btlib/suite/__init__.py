"""The suite: what is measured of every case. Run it with `pytest --pyargs btlib.suite -m smoke`.

In a checkout of btlib the same tests are in `benchmarks/`. The baselines that btlib ships lie beside it.
"""
