"""Writes the wines that come with scikit-learn as two tables, one bottle an hour in a fixed order:
data/history.csv to train on, data/live.csv to replay."""

from pathlib import Path

import pandas as pd
from sklearn.datasets import load_wine

wine = load_wine(as_frame=True).frame.rename(
    columns={"target": "cultivar", "od280/od315_of_diluted_wines": "od280_od315"}
)
wine = wine.sample(frac=1, random_state=1).reset_index(drop=True)
start = pd.Timestamp("2024-01-01", tz="UTC")
hours = start + pd.to_timedelta(wine.index, unit="h")
wine.insert(0, "bottle", [f"w{n:03d}" for n in wine.index])
wine.insert(1, "analysed_at", hours.strftime("%Y-%m-%dT%H:%M:%SZ"))

Path("data").mkdir(exist_ok=True)
wine[:106].to_csv("data/history.csv", index=False)
wine[106:].to_csv("data/live.csv", index=False)
