"""Splits the newest days that are known into rows to train on and rows to validate on."""

import json
import os

import pandas as pd

FEATURES = ["hr", "holiday", "weekday", "workingday", "weathersit"]
FEATURES += ["temp", "atemp", "hum", "windspeed"]

inputs = json.loads(os.environ["FAIRLEAD_IN"])
outputs = json.loads(os.environ["FAIRLEAD_OUT"])
params = json.loads(os.environ["FAIRLEAD_PARAMS"])


def known(path):
    """The rows of one table that have a count; no rows at all before production saw any."""
    table = pd.read_parquet(path)
    if table.empty:
        return None
    return table[["id", "at", *FEATURES, "bikers"]].dropna(subset=["bikers"])


rows = pd.concat([known(path) for path in inputs.values()])  # concat skips None
rows["at"] = pd.to_datetime(rows["at"], utc=True)
rows = rows.drop_duplicates("id", keep="last").sort_values("at")

newest = rows["at"].max()
rows = rows[rows["at"] > newest - pd.Timedelta(days=params["days"])]
late = rows["at"] > newest - pd.Timedelta(days=params["validation_days"])

rows[~late].to_parquet(outputs["train"], index=False)
rows[late].to_parquet(outputs["validation"], index=False)
print(f"{(~late).sum()} hours to train on, {late.sum()} to validate on, up to {newest}")
