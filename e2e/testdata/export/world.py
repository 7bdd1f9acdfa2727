"""Makes a world of everything with the real client: world.py URI."""

import sys

import mlflow
import pandas
from mlflow import MlflowClient
from mlflow.entities import Metric
from sklearn.linear_model import LinearRegression

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
exp = client.create_experiment("wines ü", tags={"team": "a"})
client.set_experiment_tag("0", "note", "of the default one")
mlflow.set_experiment(experiment_id=exp)
x, y = [[0.0], [1.0]], [0.0, 1.0]
with mlflow.start_run(run_name="first") as run:
    mlflow.log_params({"lr": 0.1, "multi": "a\nb: <c> # 'x'"})
    points = [Metric("loss/train", 1 / (step + 1), step, step) for step in range(1500)]
    for part in points[:1000], points[1000:]:
        client.log_batch(run.info.run_id, metrics=part)
    for key in "nan", "inf", "-inf":
        mlflow.log_metric(key.strip("-") + str(len(key)), float(key))
    for value in 0.0, float("nan"), -1.5:
        client.log_metric(run.info.run_id, "same moment", value, timestamp=7, step=3)
    mlflow.set_tags({"t": "v", "mlflow.note.content": "# hi\n\nünï \U0001f600"})
    mlflow.log_text("hello", "sub dir/x%20y.txt")
    mlflow.log_text("", "empty.txt")
    train = mlflow.data.from_pandas(pandas.DataFrame({"a": [1, 2]}), name="d")
    test = mlflow.data.from_pandas(pandas.DataFrame({"a": [3]}), name="a")
    mlflow.log_input(train, context="training", tags={"x": "1"})
    mlflow.log_input(test, context="test")
    info = mlflow.sklearn.log_model(LinearRegression().fit(x, y), name="model", registered_model_name="reg",
                                    pip_requirements=["scikit-learn"], params={"depth": "3"})
    mlflow.log_metric("acc", 0.5, model_id=info.model_id, dataset=train)
    mlflow.log_metric("acc", float("nan"), model_id=info.model_id, dataset=test, step=2)
with mlflow.start_run(run_name="judge") as judge:
    mlflow.log_metric("acc", 0.25, model_id=info.model_id, dataset=train)
    child = mlflow.start_run(nested=True, run_name="child")
    mlflow.log_text("same content", "a.txt")
    mlflow.end_run("KILLED")
running = client.create_run(exp, run_name="running", start_time=99)
client.log_param(running.info.run_id, "p", "")
deleted = client.create_run(exp, run_name="deleted").info.run_id
client.log_metric(deleted, "x", 1.0, timestamp=5, step=1)
client.log_text(deleted, "same content", "kept in the trash.txt")
client.set_terminated(deleted, "FAILED", end_time=12345)
client.delete_run(deleted)
for _ in range(2):
    gone = client.create_experiment("gone")
    client.create_run(gone)
    client.delete_experiment(gone)
client.create_run("0", run_name="in the default one")
lost = mlflow.sklearn.log_model(LinearRegression().fit(x, y), name="lost", pip_requirements=["scikit-learn"])
client.delete_logged_model(lost.model_id)

client.create_registered_model("empty", tags={"k": "v"}, description="nothing")
client.set_registered_model_alias("reg", "champ", "1")
client.set_model_version_tag("reg", "1", "a", "b")
client.set_model_version_tag("reg", "1", "a", "<c>")
client.set_model_version_tag("reg", "1", "gone", "x")
client.delete_model_version_tag("reg", "1", "gone")
client.update_model_version("reg", "1", description="one")
second = client.create_model_version("reg", f"runs:/{run.info.run_id}/sub dir", run.info.run_id)
client.set_registered_model_alias("reg", "champ", second.version)
third = client.create_model_version("reg", f"models:/{info.model_id}", run.info.run_id, tags={"of": "third"})
client.set_registered_model_alias("reg", "champ", third.version)
client.set_registered_model_alias("reg", "old", second.version)
client.delete_model_version("reg", second.version)
client.transition_model_version_stage("reg", third.version, "Staging")
for _ in range(2):
    client.create_registered_model("short lived")
    client.create_model_version("short lived", f"models:/{info.model_id}")
    client.set_registered_model_alias("short lived", "best", client.get_latest_versions("short lived")[0].version)
    client.delete_registered_model("short lived")
client.create_registered_model("before")
client.create_model_version("before", f"models:/{info.model_id}")
client.rename_registered_model("before", "after")
mlflow.genai.register_prompt("greeting", template="Hello {{name}}", tags={"lang": "en"})
mlflow.genai.register_prompt("greeting", template="Hi {{name}}")
mlflow.genai.set_prompt_alias("greeting", alias="production", version=1)
