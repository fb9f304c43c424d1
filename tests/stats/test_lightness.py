import subprocess
import sys


def test_importing_loads_neither_scipy_nor_statsmodels():
    program = "import btlib.stats, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True).split())
    assert "numpy" in loaded
    assert not loaded & {"scipy", "statsmodels", "pandas", "torch"}
