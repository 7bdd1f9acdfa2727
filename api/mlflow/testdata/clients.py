"""The ordinary flow of a client of another release or size of MLflow: what is the same
in mlflow 2.22 and in mlflow-skinny, which has neither numpy nor scikit-learn."""

import pathlib
import sys
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
experiment = mlflow.set_experiment("clients")

with mlflow.start_run(run_name="one", tags={"k": "v"}) as run:
    mlflow.log_params({"depth": 3, "kind": "tree"})
    for step in range(3):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metrics({"auc": 0.9, "odd": float("nan")})
    mlflow.set_tag("stage", "try")
    mlflow.log_text("hello", "notes/a.txt")
    mlflow.log_dict({"k": 1}, "config.json")
    with tempfile.TemporaryDirectory() as tmp:
        pathlib.Path(tmp, "b.bin").write_bytes(b"0123")
        mlflow.log_artifacts(tmp, "files")
    with mlflow.start_run(run_name="child", nested=True):
        mlflow.log_metric("loss", 0.1)
id = run.info.run_id

got = client.get_run(id)
assert got.info.status == "FINISHED" and got.data.params == {"depth": "3", "kind": "tree"}, got
assert got.data.metrics["loss"] == 1 / 3 and got.data.tags["stage"] == "try", got
assert [m.value for m in client.get_metric_history(id, "loss")] == [1, 1 / 2, 1 / 3]
assert sorted(f.path for f in client.list_artifacts(id)) == ["config.json", "files", "notes"]
path = client.download_artifacts(id, "files")
assert pathlib.Path(path, "b.bin").read_bytes() == b"0123"
try:
    client.log_param(id, "depth", 4)
    raise SystemExit("a param was changed")
except MlflowException as e:
    assert e.error_code == "INVALID_PARAMETER_VALUE", e
found = client.search_runs([experiment.experiment_id], "metrics.loss < 0.5", order_by=["metrics.loss"])
assert [r.info.run_name for r in found] == ["child", "one"], found
client.delete_run(id)
assert len(client.search_runs([experiment.experiment_id])) == 1
client.restore_run(id)
print("tracking")

client.create_registered_model("clients", tags={"team": "a"}, description="made here")
with mlflow.start_run(run_id=id):
    mlflow.log_text("flavors: {}", "model/MLmodel")
version = client.create_model_version("clients", f"{run.info.artifact_uri}/model", run_id=id)
assert version.version in ("1", 1), version
client.set_registered_model_alias("clients", "best", version.version)
assert client.get_model_version_by_alias("clients", "best").run_id == id
client.set_model_version_tag("clients", version.version, "checked", "yes")
client.update_model_version("clients", version.version, description="first")
client.transition_model_version_stage("clients", version.version, "Staging")
latest = client.get_latest_versions("clients", ["Staging"])
assert [v.description for v in latest] == ["first"], latest
assert [m.name for m in client.search_registered_models("name = 'clients'")] == ["clients"]
assert len(client.search_model_versions("name = 'clients'")) == 1
client.delete_model_version("clients", version.version)
client.delete_registered_model("clients")
print("registry")

if "model" in sys.argv:
    from sklearn.linear_model import LinearRegression

    x, y = [[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0]
    with mlflow.start_run() as run:
        model = LinearRegression().fit(x, y)
        info = mlflow.sklearn.log_model(model, "model", registered_model_name="line",
                                        pip_requirements=["scikit-learn"], input_example=x)
    assert info.run_id == run.info.run_id
    history = client.get_run(run.info.run_id).data.tags.get("mlflow.log-model.history", "")
    assert mlflow.__version__[0] != "2" or "python_function" in history, history
    for uri in [info.model_uri, "models:/line/1", f"runs:/{run.info.run_id}/model"]:
        assert abs(mlflow.pyfunc.load_model(uri).predict([[3.0]])[0] - 6) < 1e-6, uri
    mlflow.sklearn.autolog()
    with mlflow.start_run() as run:
        LinearRegression().fit(x, y)
    assert client.get_run(run.info.run_id).data.metrics["training_score"] == 1
    print("model")
