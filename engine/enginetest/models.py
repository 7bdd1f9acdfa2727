"""Writes the MLflow models that tests package: enginetest/models.py OUT_DIR.

The table has the columns of hourly bike counts; values are drawn with a fixed seed.
"""

import json
import os
import pickle
import shutil
import sys
import warnings

import cloudpickle
import lightgbm
import numpy as np
import onnx
import pandas as pd
import skops.io
from onnx import TensorProto, helper
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.simplefilter("ignore")
OUT = sys.argv[1]
COLUMNS = {
    "hr": "long",
    "holiday": "long",
    "weekday": "long",
    "workingday": "long",
    "weathersit": "long",
    "temp": "double",
    "atemp": "double",
    "hum": "double",
    "windspeed": "double",
}
OPTIONAL = {"hum", "windspeed"}


def table(rows=1400):
    rng = np.random.default_rng(0)
    t = pd.DataFrame(
        {
            "hr": rng.integers(0, 24, rows),
            "holiday": rng.integers(0, 2, rows),
            "weekday": rng.integers(0, 7, rows),
            "workingday": rng.integers(0, 2, rows),
            "weathersit": rng.integers(1, 4, rows),
            "temp": np.round(rng.random(rows), 2),
            "atemp": np.round(rng.random(rows), 4),
            "hum": np.round(rng.random(rows), 2),
            "windspeed": np.round(rng.random(rows), 4),
        }
    )
    t.loc[rng.random(rows) < 0.1, "windspeed"] = np.nan
    wind = t["windspeed"].fillna(0.2)
    y = 150 * np.sin(t["hr"] / 24 * np.pi) ** 2 * (0.5 + t["temp"]) * (1 - wind / 2) + rng.poisson(
        20, rows
    )
    return t, y.to_numpy()


def spec(columns, output):
    outputs = [{"type": "tensor", "tensor-spec": {"dtype": output, "shape": [-1]}}]
    return json.dumps(columns), json.dumps(outputs)


BIKES = [{"type": k, "name": n, "required": n not in OPTIONAL} for n, k in COLUMNS.items()]


def write(name, flavor, conf, pyfunc, content, columns=BIKES, output="float64"):
    """An MLflow model directory as mlflow 3.17.2 lays it out."""
    directory = os.path.join(OUT, name)
    os.makedirs(directory)
    inputs, outputs = spec(columns, output)
    mlmodel = {
        "flavors": {
            flavor: conf,
            "python_function": {"loader_module": f"mlflow.{flavor}", **pyfunc},
        },
        "mlflow_version": "3.17.2",
        "model_uuid": "0" * 32,
        "signature": {"inputs": inputs, "outputs": outputs, "params": None},
    }
    with open(os.path.join(directory, "MLmodel"), "w") as f:
        json.dump(mlmodel, f)  # JSON is YAML
    content(directory)


def sklearn(name, model, fmt="cloudpickle", trusted=None, predict_fn="predict", **kw):
    file = "model.skops" if fmt == "skops" else "model.pkl"

    def content(directory):
        path = os.path.join(directory, file)
        if fmt == "skops":
            skops.io.dump(model, path)
        else:
            with open(path, "wb") as f:
                (pickle if fmt == "pickle" else cloudpickle).dump(model, f)

    conf = {"pickled_model": file, "serialization_format": fmt, "skops_trusted_types": trusted}
    write(name, "sklearn", conf, {"model_path": file, "predict_fn": predict_fn}, content, **kw)


def lgbm(name, model, native=False, **kw):
    file = "model.lgb" if native else "model.skops"
    trusted = [
        "lightgbm.sklearn.LGBMRegressor",
        "lightgbm.basic.Booster",
        "collections.OrderedDict",
        "lightgbm.sklearn.LGBMClassifier",
    ]
    kind = "lightgbm.basic.Booster" if native else f"lightgbm.sklearn.{type(model).__name__}"
    conf = {
        "data": file,
        "model_class": kind,
        "serialization_format": "skops",
        "skops_trusted_types": trusted,
    }

    def content(directory):
        path = os.path.join(directory, file)
        model.booster_.save_model(path) if native else skops.io.dump(model, path)

    write(name, "lightgbm", conf, {"data": file}, content, **kw)


def raw(name, nodes, output, shape):
    """A model for ONNX Runtime alone: the input is x, [rows, 1] float64."""
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["i"], to=TensorProto.INT64), *nodes],
        name,
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])],
        [helper.make_tensor_value_info("prediction", output, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    os.makedirs(os.path.join(OUT, "onnx"), exist_ok=True)
    with open(os.path.join(OUT, "onnx", name + ".onnx"), "wb") as f:
        f.write(model.SerializeToString(deterministic=True))


def constant(name, dtype, shape, *values):
    return helper.make_node(
        "Constant", [], [name], value=helper.make_tensor(name, dtype, shape, values)
    )


def raw_models():
    node, T = helper.make_node, TensorProto
    # The smallest integer divided by -1 has no representation: the processor traps.
    smallest = constant("smallest", T.INT64, [1], -(2**63))
    quotient = [smallest, node("Div", ["smallest", "i"], ["q"])]
    raw("crash", [*quotient, node("Cast", ["q"], ["prediction"], to=T.FLOAT)], T.FLOAT, [None, 1])
    # As many rounds as the largest x says.
    body = helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Add", ["v", "v"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("round", T.INT64, []),
            helper.make_tensor_value_info("go", T.BOOL, []),
            helper.make_tensor_value_info("v", T.DOUBLE, [None, 1]),
        ],
        [
            helper.make_tensor_value_info("on", T.BOOL, []),
            helper.make_tensor_value_info("next", T.DOUBLE, [None, 1]),
        ],
    )
    rounds = node("ReduceMax", ["i"], ["rounds"], keepdims=0)
    go = constant("yes", T.BOOL, [], True)
    loop = node("Loop", ["rounds", "yes", "x"], ["last"], body=body)
    last = node("Cast", ["last"], ["prediction"], to=T.FLOAT)
    raw("loop", [rounds, go, loop, last], T.FLOAT, [None, 1])
    # Outputs [rows, 2] that are no float, and one that does not follow the rows.
    one = constant("one", T.INT64, [1], 1)
    pair = [one, node("Add", ["i", "one"], ["j"]), node("Concat", ["i", "j"], ["ij"], axis=1)]
    raw("pair", [*pair, node("Identity", ["ij"], ["prediction"])], T.INT64, [None, 2])
    raw("texts", [*pair, node("Cast", ["ij"], ["prediction"], to=T.STRING)], T.STRING, [None, 2])
    total = node("ReduceSum", ["i"], ["prediction"], keepdims=1)
    raw("total", [total], T.INT64, [None, 1])


def main():
    raw_models()
    X, y = table()
    full, many = X.fillna(0.2), (y > 80).astype(int)
    X.to_parquet(os.path.join(OUT, "inputs.parquet"))
    full.to_parquet(os.path.join(OUT, "full.parquet"))
    X.head(200).to_json(os.path.join(OUT, "inputs.json"), orient="records")

    boosted = lightgbm.LGBMRegressor(
        n_estimators=200, learning_rate=0.05, num_leaves=31, min_child_samples=20, verbose=-1
    ).fit(X, y)
    lgbm("lightgbm-skops", boosted)
    lgbm("lightgbm-native", boosted, native=True)
    classes = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1).fit(X, many)
    lgbm("lightgbm-classifier", classes, output="int64")
    lgbm("lightgbm-binary", classes, native=True)
    sklearn("sklearn-lightgbm", boosted)

    required = [{**c, "required": True} for c in BIKES]
    forest = RandomForestRegressor(20, random_state=0, max_depth=8).fit(full, y)
    sklearn("forest-skops", forest, "skops", ["sklearn.tree._tree.Tree"], columns=required)
    sklearn(
        "ridge-pickle",
        make_pipeline(StandardScaler(), Ridge()).fit(full, y),
        "pickle",
        columns=required,
    )
    # The same model with an example, as mlflow.log_model(input_example=…) keeps it.
    shutil.copytree(os.path.join(OUT, "ridge-pickle"), os.path.join(OUT, "ridge-example"))
    with open(os.path.join(OUT, "ridge-example", "MLmodel")) as f:
        mlmodel = json.load(f)
    mlmodel["saved_input_example_info"] = {
        "artifact_path": "input_example.json",
        "type": "dataframe",
        "pandas_orient": "split",
    }
    with open(os.path.join(OUT, "ridge-example", "MLmodel"), "w") as f:
        json.dump(mlmodel, f)
    example = full.head(5).to_dict(orient="split", index=False)
    with open(os.path.join(OUT, "ridge-example", "input_example.json"), "w") as f:
        json.dump(example, f)
    full.head(5).assign(hr="noon").to_json(os.path.join(OUT, "strange.json"), orient="records")
    logistic = make_pipeline(StandardScaler(), LogisticRegression()).fit(
        full, np.where(many, "busy", "calm")
    )
    sklearn("logistic-labels", logistic, columns=required, output="str")
    sklearn("logistic-probabilities", logistic, columns=required, predict_fn="predict_proba")
    sklearn("histogram", HistGradientBoostingRegressor(max_iter=20).fit(X, y))
    averaged = lightgbm.LGBMRegressor(
        boosting_type="rf", n_estimators=20, bagging_freq=1, bagging_fraction=0.5, verbose=-1
    ).fit(X, y)
    lgbm("lightgbm-averaged", averaged)  # the converter takes 100 trees for granted
    sklearn("large-numbers", Ridge().fit(full[["hr"]] + 2**25, y), columns=[required[0]])

    offset = full[["hr"]] + 10_000_000
    sklearn(
        "offset-scaler",
        make_pipeline(StandardScaler(), Ridge()).fit(offset, y),
        columns=[required[0]],
    )
    offset.to_parquet(os.path.join(OUT, "offset.parquet"))

    text = pd.DataFrame(
        {"weather": np.array(["clear", "mist", "rain"])[X["weathersit"] - 1], "temp": X["temp"]}
    )
    chooser = ColumnTransformer(
        [("w", OneHotEncoder(), ["weather"]), ("t", StandardScaler(), ["temp"])]
    )
    sklearn(
        "named-columns",
        make_pipeline(chooser, Ridge()).fit(text, y),
        columns=[
            {"type": "string", "name": "weather", "required": True},
            {"type": "double", "name": "temp", "required": True},
        ],
    )
    text.to_parquet(os.path.join(OUT, "text.parquet"))
    (X[["hr"]] + 2**25).to_parquet(os.path.join(OUT, "large.parquet"))

    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 9]}}]
    sklearn("tensor", Ridge().fit(full.to_numpy(), y), columns=tensor)
    with open(os.path.join(OUT, "expected.json"), "w") as f:
        json.dump({"lightgbm-skops": boosted.predict(X).tolist()}, f)


main()
