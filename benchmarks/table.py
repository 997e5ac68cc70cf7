"""Results of benchmarks: rows, each with its bar, printed as a table."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class Row:
    """One bar and what was measured against it. With a yardstick the ratio counts, else the figure itself."""

    what: str
    unit: str
    ours: float
    bar: float | None
    """None where the figure only explains another."""
    yardstick: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    """The middle half of the ratios, one ratio a round: how far the ratio can be trusted."""
    details: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def measured(self) -> float:
        """The figure that is compared with the bar."""
        return self.ours if self.ratio is None else self.ratio

    @property
    def ok(self) -> bool:
        """Say whether the bar was met, where there is one."""
        return self.bar is None or self.measured <= self.bar

    def as_json(self) -> dict[str, object]:
        """Return the row as JSON has it."""
        return {**asdict(self), "measured": self.measured, "ok": self.ok}


def compared(
    what: str, unit: str, ours: Sequence[Sequence[float]], yardstick: Sequence[Sequence[float]], *, bar: float | None,
    details: Mapping[str, float | str] | None = None,
) -> Row:  # fmt: skip
    """Return the row of two servers that took turns: samples by round.

    The ratio is the median of the rounds' ratios, so that a machine that slows down half-way slows both sides of it.
    """
    ratios = [statistics.median(a) / statistics.median(b) for a, b in zip(ours, yardstick, strict=True)]
    return Row(
        what=what,
        unit=unit,
        ours=statistics.median(sample for batch in ours for sample in batch),
        yardstick=statistics.median(sample for batch in yardstick for sample in batch),
        ratio=statistics.median(ratios),
        spread=(percentile(ratios, 25), percentile(ratios, 75)),
        bar=bar,
        details=details or {},
    )


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that at least `percent` of the samples do not exceed."""
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]


def table(rows: Sequence[Row]) -> str:
    """Return the rows as lines of text, a header first."""
    lines = [("what", "ours", "yardstick", "ratio", "middle half", "bar", "")]
    lines += [_cells(row) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(_line(cells, widths) for cells in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    return "  ".join([first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    unit = f" {row.unit}"
    return (
        row.what,
        _short(row.ours) + unit,
        "–" if row.yardstick is None else _short(row.yardstick) + unit,
        "–" if row.ratio is None else f"{row.ratio:.2f}",
        "–" if row.spread is None else f"{row.spread[0]:.2f} to {row.spread[1]:.2f}",
        _bar(row),
        "" if row.bar is None else "ok" if row.ok else "MISSED",
    )


def _bar(row: Row) -> str:
    if row.bar is None:
        return "–"
    return f"≤ {row.bar:.2f}" if row.ratio is not None else f"≤ {_short(row.bar)} {row.unit}"


def _short(figure: float) -> str:
    return f"{figure:.0f}" if figure >= 100 or figure == int(figure) else f"{figure:.2f}"
