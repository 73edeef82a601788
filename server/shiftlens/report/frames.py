"""Rows of positions as a pandas data frame. pandas is not among the packages that ShiftLens needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from shiftlens.analysis.position_table import Column, Row
from shiftlens.errors import PackageError

if TYPE_CHECKING:
    import pandas as pd

# Those of pandas that can say of a value that it is not known.
_TYPES = {"text": "string", "integer": "Int64", "number": "Float64", "flag": "boolean"}


def data_frame(columns: Sequence[Column], rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as a data frame whose types know missing values. Raises PackageError without pandas."""
    # Imported where it is asked for: it is not needed otherwise, and takes half a second.
    try:
        import pandas as pd
    except ImportError:
        raise PackageError(
            "Data frames are made with pandas, which is not installed.", "Install it with: pip install pandas"
        ) from None
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    series = {
        column.name: pd.Series(list(found), dtype=_TYPES[column.type])
        for column, found in zip(columns, values, strict=True)
    }
    return pd.DataFrame(series)
