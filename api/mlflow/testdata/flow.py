"""The ordinary flow of an unmodified mlflow client, against each address given.

Prints one line for each part that passed. Any difference from what MLflow's own
server would do raises; `--mlflow` says that it is that server.
"""

import math
import os
import pathlib
import sys
import tempfile

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, LogisticRegression


def refused(code, fn, *args, **kwargs):
    try:
        fn(*args, **kwargs)
    except MlflowException as e:
        assert e.error_code == code, f"{e.error_code} instead of {code}: {e}"
        return str(e)
    raise AssertionError(f"{fn} was not refused with {code}")


def flow(client):
    # Experiments.
    exp = mlflow.set_experiment("bikes")
    assert exp.name == "bikes" and exp.artifact_location.startswith("mlflow-artifacts:/")
    assert mlflow.set_experiment("bikes").experiment_id == exp.experiment_id
    refused("RESOURCE_ALREADY_EXISTS", client.create_experiment, "bikes")
    client.set_experiment_tag(exp.experiment_id, "team", "rides")
    client.set_experiment_tag(exp.experiment_id, "gone", "1")
    client.delete_experiment_tag(exp.experiment_id, "gone")
    tags = client.get_experiment(exp.experiment_id).tags
    assert tags["team"] == "rides" and "gone" not in tags, tags
    spare = client.create_experiment("spare", tags={"a": "b"})
    client.rename_experiment(spare, "renamed")
    client.delete_experiment(spare)
    client.restore_experiment(spare)
    client.delete_experiment(spare)
    assert [e.name for e in mlflow.search_experiments(filter_string="name LIKE 'b%'")] == ["bikes"]
    assert mlflow.get_experiment_by_name("absent") is None
    print("experiments")

    # Runs, params, metrics, tags.
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_param("depth", 3)
        mlflow.log_params({"rate": 0.05, "kind": "tree"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"auc": 0.9, "odd": float("nan"), "high": float("inf")}, step=1)
        mlflow.set_tag("stage", "try")
        mlflow.set_tags({"a": "1", "b": "2"})
        frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1, 2]})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="train"), context="training")
        refused("INVALID_PARAMETER_VALUE", mlflow.log_param, "depth", 4)
        mlflow.log_param("depth", 3)
        with mlflow.start_run(nested=True, run_name="child"):
            mlflow.log_metric("auc", 0.1)
    got = client.get_run(run.info.run_id)
    assert got.info.status == "FINISHED" and got.info.run_name == "first"
    assert got.data.params == {"depth": "3", "rate": "0.05", "kind": "tree"}
    assert got.data.metrics["loss"] == 0.2 and math.isnan(got.data.metrics["odd"])
    assert got.data.metrics["high"] > 1e308
    assert got.data.tags["stage"] == "try" and got.data.tags["a"] == "1"
    assert got.inputs.dataset_inputs[0].dataset.name == "train"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [m.step for m in history] == list(range(5))
    client.delete_tag(run.info.run_id, "a")
    assert "a" not in client.get_run(run.info.run_id).data.tags
    client.update_run(run.info.run_id, name="renamed")
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.log_metric("again", 1, synchronous=False)
        mlflow.flush_async_logging()
    print("runs")

    # Search.
    runs = mlflow.search_runs(filter_string="metrics.auc > 0.5 and params.kind = 'tree'")
    assert list(runs.run_id) == [run.info.run_id], runs
    assert len(mlflow.search_runs(order_by=["metrics.auc DESC"])) == 2
    assert client.search_runs([exp.experiment_id], "tags.`mlflow.parentRunId` = '%s'" % run.info.run_id)
    refused("INVALID_PARAMETER_VALUE", mlflow.search_runs, filter_string="metrics.auc > 'x'")
    first = client.search_runs([exp.experiment_id], max_results=1)
    second = client.search_runs([exp.experiment_id], max_results=1, page_token=first.token)
    assert first[0].info.run_id != second[0].info.run_id and not second.token
    print("search")

    # Artifacts.
    with mlflow.start_run(run_id=run.info.run_id), tempfile.TemporaryDirectory() as tmp:
        mlflow.log_text("hello", "notes/a b.txt")
        mlflow.log_dict({"k": 1}, "config.json")
        mlflow.log_table({"q": ["a"], "r": [1]}, "table.json")
        folder = pathlib.Path(tmp, "plots", "deep")
        folder.mkdir(parents=True)
        folder.joinpath("p.bin").write_bytes(os.urandom(2_000_000))
        folder.joinpath("100% ü.txt").write_text("odd")
        mlflow.log_artifacts(os.path.join(tmp, "plots"), "plots")
        mlflow.log_artifact(str(folder / "p.bin"))
        want = folder.joinpath("p.bin").read_bytes()
        got = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="plots")
        assert pathlib.Path(got, "deep", "p.bin").read_bytes() == want
        assert pathlib.Path(got, "deep", "100% ü.txt").read_text() == "odd"
    assert mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/a b.txt") == "hello"
    names = [f.path for f in client.list_artifacts(run.info.run_id)]
    assert names == ["config.json", "notes", "p.bin", "plots", "table.json"], names
    assert [f.path for f in client.list_artifacts(run.info.run_id, "notes")] == ["notes/a b.txt"]
    assert client.list_artifacts(run.info.run_id, "config.json") == []
    print("artifacts")

    # Models.
    x, y = np.arange(20).reshape(10, 2) * 1.0, np.arange(10) * 1.0
    quick = {"pip_requirements": ["scikit-learn"]}
    with mlflow.start_run() as model_run:
        model = LinearRegression().fit(x, y)
        info = mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(x, y), input_example=x[:1],
            registered_model_name="bikes", params={"kind": "linear"}, **quick)
        mlflow.log_metric("rmse", 0.5, model_id=info.model_id)
    logged = mlflow.get_logged_model(info.model_id)
    assert logged.status == "READY" and logged.params["kind"] == "linear"
    assert logged.metrics[0].key == "rmse" and logged.source_run_id == model_run.info.run_id
    client.set_logged_model_tags(info.model_id, {"t": "1", "u": "2"})
    client.delete_logged_model_tag(info.model_id, "u")
    found = mlflow.search_logged_models([exp.experiment_id], "tags.t = '1'", output_format="list")
    assert [m.model_id for m in found] == [info.model_id]
    found = mlflow.search_logged_models(
        [exp.experiment_id], "tags.t IN ('1', '2') AND creation_timestamp_ms > 0")
    assert list(found.model_id) == [info.model_id]
    found = mlflow.search_logged_models(
        [exp.experiment_id], order_by=[{"field_name": "metrics.rmse", "ascending": False}])
    assert found.iloc[0].model_id == info.model_id
    assert client.get_run(model_run.info.run_id).outputs.model_outputs[0].model_id == info.model_id
    version = mlflow.register_model(f"runs:/{model_run.info.run_id}/model", "bikes")
    assert version.version == "2" and version.run_id == model_run.info.run_id, version
    version = mlflow.register_model(info.model_uri, "bikes", tags={"k": "v"})
    assert version.version == "3" and version.source == info.model_uri
    client.set_registered_model_alias("bikes", "candidate", 3)
    assert client.get_model_version_by_alias("bikes", "candidate").version == "3"
    assert client.get_registered_model("bikes").aliases == {"candidate": "3"}
    if not MLFLOW:
        message = refused("PERMISSION_DENIED", client.set_registered_model_alias, "bikes", "live", 1)
        assert "candidate" in message
        token = os.environ.pop("MLFLOW_TRACKING_TOKEN")
        message = refused(
            "PERMISSION_DENIED", client.set_registered_model_alias, "bikes", "candidate", 1)
        assert "export MLFLOW_TRACKING_TOKEN=$(cat DATA/token)" in message, message
        os.environ["MLFLOW_TRACKING_TOKEN"] = token
        assert client.get_model_version_by_alias("bikes", "candidate").version == "3"
    for uri in ["models:/bikes@candidate", "models:/bikes/1", "models:/bikes/latest",
                "models:/bikes@latest", info.model_uri,
                f"runs:/{model_run.info.run_id}/model"]:
        assert np.allclose(mlflow.sklearn.load_model(uri).predict(x), y), uri
    assert np.allclose(mlflow.pyfunc.load_model("models:/bikes@candidate").predict(x), y)
    copied = client.copy_model_version("models:/bikes@candidate", "copies")
    assert np.allclose(mlflow.sklearn.load_model("models:/copies/1").predict(x), y)
    again = mlflow.register_model("models:/bikes/1", "copies")
    assert again.version == "2" and again.source == "models:/bikes/1", again
    spare = mlflow.create_external_model(name="spare", params={"a": "1"})
    mlflow.log_model_params({"b": "2"}, model_id=spare.model_id)
    assert mlflow.get_logged_model(spare.model_id).params == {"a": "1", "b": "2"}
    client.delete_logged_model(spare.model_id)
    refused("RESOURCE_DOES_NOT_EXIST", mlflow.get_logged_model, spare.model_id)
    print("models")

    # Registry.
    refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, "bikes")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "absent")
    refused("INVALID_PARAMETER_VALUE", client.create_model_version, "bikes", "/etc")
    client.update_registered_model("bikes", "riders by hour")
    client.set_registered_model_tag("bikes", "team", "rides")
    client.set_registered_model_tag("bikes", "gone", "1")
    client.delete_registered_model_tag("bikes", "gone")
    client.update_model_version("bikes", 3, "the third")
    client.set_model_version_tag("bikes", "3", "checked", "yes")
    client.set_model_version_tag("bikes", "3", "gone", "yes")
    client.delete_model_version_tag("bikes", "3", "gone")
    got = client.get_model_version("bikes", "3")
    assert got.description == "the third" and got.tags == {"k": "v", "checked": "yes"}, got
    assert client.transition_model_version_stage("bikes", "2", "Staging").current_stage == "Staging"
    latest = client.get_latest_versions("bikes", ["None"])
    assert [v.version for v in latest] == ["3"], latest
    names = [m.name for m in client.search_registered_models()]
    assert names == ["bikes", "copies"], names
    assert [m.name for m in client.search_registered_models("tags.team = 'rides'")] == ["bikes"]
    versions = client.search_model_versions("name = 'bikes'", order_by=["version_number ASC"])
    assert [v.version for v in versions] == ["1", "2", "3"]
    assert client.search_model_versions(f"run_id = '{model_run.info.run_id}'")
    client.delete_registered_model_alias("bikes", "candidate")
    client.delete_model_version("bikes", "2")
    refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, "bikes", "2")
    client.rename_registered_model("copies", "others")
    client.delete_registered_model("others")
    prompt = mlflow.genai.register_prompt("greeting", "Hello {{name}}")
    assert mlflow.genai.load_prompt("prompts:/greeting/1").template == "Hello {{name}}"
    assert [m.name for m in client.search_registered_models()] == ["bikes"]
    print("registry")

    # Autologging.
    mlflow.sklearn.autolog(log_input_examples=True)
    with mlflow.start_run(run_name="auto") as auto:
        LogisticRegression(max_iter=50).fit(x, y > 4)
    mlflow.sklearn.autolog(disable=True)
    got = client.get_run(auto.info.run_id)
    assert got.data.params["max_iter"] == "50" and got.data.metrics["training_score"] > 0.9
    assert got.outputs.model_outputs and got.inputs.dataset_inputs
    metric = mlflow.get_logged_model(got.outputs.model_outputs[0].model_id).metrics
    assert any(m.dataset_name for m in metric), metric
    print("autolog")

    client.delete_run(run.info.run_id)
    assert run.info.run_id not in list(mlflow.search_runs().run_id)
    client.restore_run(run.info.run_id)
    assert run.info.run_id in list(mlflow.search_runs().run_id)
    mlflow.set_experiment("Default")
    with mlflow.start_run() as run:
        assert run.info.experiment_id == "0"


MLFLOW = "--mlflow" in sys.argv
for address in sys.argv[1 + MLFLOW :]:
    mlflow.set_tracking_uri(address)
    flow(MlflowClient())
    print(address, "passed")
