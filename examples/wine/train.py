"""Fits a classifier on all but the newest hours, and puts those aside for evaluate.py."""

import json
import os

import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

outputs = json.loads(os.environ["FAIRLEAD_OUT"])
params = json.loads(os.environ["FAIRLEAD_PARAMS"])

rows = pd.read_parquet(os.environ["FAIRLEAD_IN_BOTTLES"])
at = pd.to_datetime(rows["analysed_at"], utc=True)
late = at > at.max() - pd.Timedelta(hours=params["validation_hours"])
rows[late].to_parquet(outputs["validation"], index=False)

x = rows[~late].drop(columns=["bottle", "analysed_at", "cultivar"]).astype("float64")
y = rows[~late]["cultivar"].astype("int64")
model = make_pipeline(StandardScaler(), LogisticRegression(C=params["c"])).fit(x, y)

with mlflow.start_run():
    mlflow.log_params(params)
    mlflow.log_metric("train_accuracy", model.score(x, y))
    mlflow.sklearn.save_model(
        model,
        outputs["model"],
        signature=infer_signature(x, y),
        input_example=x.head(3),
        pip_requirements="requirements.txt",
    )
