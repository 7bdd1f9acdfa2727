"""Writes a store of MLflow's own with one of everything: store.py URI DIRECTORY."""

import os
import sys

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import LoggedModelInput, Metric
from sklearn.linear_model import LinearRegression

uri, root = sys.argv[1:]
mlflow.set_tracking_uri(uri)
client = MlflowClient()
location = f"file://{root}/artifacts" if uri.startswith("sqlite:") else None
exp = client.create_experiment("wines ü", artifact_location=location, tags={"team": "a"})
mlflow.set_experiment(experiment_id=exp)
with mlflow.start_run(run_name="first") as run:
    mlflow.log_params({"lr": 0.1, "multi": "a\nb: c # 'x'"})
    points = [Metric("loss/train", 1 / (step + 1), step, step) for step in range(1500)]
    for part in points[:1000], points[1000:]:
        client.log_batch(run.info.run_id, metrics=part)
    for key in "nan", "inf", "-inf":
        mlflow.log_metric(key.strip("-") + str(len(key)), float(key))
    mlflow.set_tags({"t": "v", "mlflow.note.content": "# hi\n\nünï"})
    mlflow.log_text("hello", "sub dir/x.txt")
    mlflow.log_text("", "empty.txt")
    data = mlflow.data.from_pandas(pandas.DataFrame({"a": [1, 2]}), name="d")
    mlflow.log_input(data, context="training")
    info = mlflow.sklearn.log_model(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), name="model",
                                    registered_model_name="reg")
    mlflow.log_metric("acc", 0.5, model_id=info.model_id, dataset=data)
deleted = client.create_run(exp, run_name="deleted").info.run_id
client.log_metric(deleted, "x", 1.0, timestamp=5, step=1)
client.set_terminated(deleted, "FAILED", end_time=12345)
client.delete_run(deleted)
other = client.create_run("0", run_name="uses a model of another experiment").info.run_id
client.log_inputs(other, models=[LoggedModelInput(info.model_id)])
if not uri.startswith("file:"):  # where MLflow itself does not find the model any more after that
    client.log_metric(other, "acc", 0.25, timestamp=7, step=3, model_id=info.model_id)
gone = client.create_experiment("gone")
client.create_run(gone)
client.delete_experiment(gone)
client.create_registered_model("empty", tags={"k": "v"}, description="nothing")
client.set_registered_model_alias("reg", "champ", "1")
client.set_model_version_tag("reg", "1", "a", "b")
client.update_model_version("reg", "1", description="one")
second = client.create_model_version("reg", f"runs:/{run.info.run_id}/sub dir", run.info.run_id)
third = client.create_model_version("reg", f"models:/{info.model_id}", run.info.run_id,
                                    model_id=info.model_id)
client.delete_model_version("reg", second.version)
client.transition_model_version_stage("reg", third.version, "Staging")
