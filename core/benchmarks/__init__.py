"""The speed table: what must be fast, how fast it is on this machine, and the plain loops it is compared with."""

from core.benchmarks.bench import describe_machine, row_names, run_bench
from core.benchmarks.row import Row

__all__ = ["Row", "describe_machine", "row_names", "run_bench"]
