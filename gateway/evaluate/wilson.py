"""Confidence bounds of a proportion."""

from math import sqrt
from typing import Final

Z_95: Final = 1.959964  # normal quantile of a two-sided 95 % interval


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """Wilson's 95 % interval (JASA 1927;22:209), honest for small counts and for 0 and 1; None without any count."""
    if of == 0:
        return None
    share, z2 = hits / of, Z_95 * Z_95
    centre = share + z2 / (2 * of)
    reach = Z_95 * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return (max(0.0, (centre - reach) / (1 + z2 / of)), min(1.0, (centre + reach) / (1 + z2 / of)))
