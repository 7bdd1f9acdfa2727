"""Packages one MLflow model: as ONNX when that is equal to Python, else as it is.

    fairlead_package.py MODEL_DIR OUT_DIR INPUTS RESULT

INPUTS is a Parquet file, or a JSON list of row objects, with recorded inputs. The
model is converted to ONNX, and both forms answer them; they are equal when
|onnx - python| / max(1, |python|) is at most TOLERANCE in every row. Recorded inputs
that are not the model's, such as a raw table for a model of engineered features, give
way to the example that MLflow keeps with a model, and to rows drawn from its ranges.

Writes OUT_DIR/model/, OUT_DIR/model.onnx where that is equal, and RESULT, a JSON
object: the fields of the package's manifest, with the signature in MLflow's own form
and the one of the two that counts as `model`, or `error` when the model cannot be used
at all (exit status 3). Before the conversion begins, RESULT is the package for Python
without a reason: a converter that crashes, or takes too long, must not cost the
package. The same input gives the same bytes.

Imports are late and few, because they are most of the time: `import mlflow` alone
takes a second, so scikit-learn and LightGBM models are loaded without it.
"""

import json
import math
import os
import platform
import shutil
import sys
import traceback
import warnings

TOLERANCE = 1e-5
MAX_ROWS = 20_000  # recorded rows that are compared
DRAWN_ROWS = 1000  # rows drawn from the ranges of an example
MISSING_ROWS = 4  # rows tried for each optional column with that column missing
OPSET = 18
OPSET_LIGHTGBM = 15  # the newest that onnxmltools knows for its trees

NUMPY = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
}
NUMERIC = set(NUMPY)
TENSOR_KINDS = {
    "float64": "double", "float32": "float", "float16": "float",
    "int64": "long", "uint32": "long", "uint64": "long",
    "int32": "integer", "int16": "integer", "int8": "integer",
    "uint16": "integer", "uint8": "integer",
    "bool": "boolean", "str": "string", "object": "string",
}  # fmt: skip


class ModelError(Exception):
    """The model cannot be served by anything."""


class Unsuitable(ModelError):
    """The recorded inputs are not the model's."""


class NotConvertible(Exception):
    """The model stays a Python model; the message says why, in one sentence."""


# --- the model directory ---------------------------------------------------------


class Model:
    """A loaded model and what its MLmodel file says of it."""

    def __init__(self, directory):
        self.directory = directory
        self.spec = read_mlmodel(directory)
        self.flavors = self.spec.get("flavors") or {}
        self.pyfunc = self.flavors.get("python_function")
        if self.pyfunc is None:
            raise ModelError(
                "the model has no python_function flavor, so MLflow cannot predict with it"
            )
        self.loader = self.pyfunc.get("loader_module", "")
        self.native = None  # the scikit-learn or LightGBM object
        self.call = None  # frame -> predictions
        try:
            self.load()
        except ModelError:
            raise
        except Exception as e:
            raise ModelError(f"the model does not load: {describe(e)}") from e

    def load(self):
        code = self.pyfunc.get("code")
        if code:
            sys.path.insert(0, os.path.join(self.directory, code))
        if self.loader == "mlflow.lightgbm" and "lightgbm" in self.flavors:
            self.native = self.load_lightgbm(self.flavors["lightgbm"])
            self.call = self.native.predict
        elif self.loader == "mlflow.sklearn" and "sklearn" in self.flavors:
            self.native = self.load_sklearn(self.flavors["sklearn"])
            self.call = getattr(self.native, self.predict_fn)
        else:
            import mlflow.pyfunc

            self.call = mlflow.pyfunc.load_model(self.directory).predict

    @property
    def predict_fn(self):
        return self.pyfunc.get("predict_fn", "predict")

    def load_lightgbm(self, conf):
        path = os.path.join(self.directory, conf.get("data") or self.pyfunc["data"])
        if conf.get("model_class", "lightgbm.basic.Booster") == "lightgbm.basic.Booster":
            import lightgbm

            return lightgbm.Booster(model_file=path)
        return load_pickled(path, conf.get("serialization_format", "cloudpickle"), conf)

    def load_sklearn(self, conf):
        path = os.path.join(self.directory, conf["pickled_model"])
        return load_pickled(path, conf.get("serialization_format", "pickle"), conf)

    def example(self):
        """The input example that was logged with the model, or None."""
        import numpy as np
        import pandas as pd

        info = self.spec.get("saved_input_example_info") or {}
        if info.get("type") not in ("dataframe", "ndarray"):
            return None
        try:
            path = os.path.join(self.directory, info["artifact_path"])
            with open(path, encoding="utf-8") as f:
                content = json.load(f)
            if info["type"] == "dataframe":
                return pd.DataFrame(content["data"], columns=content["columns"])
            return pd.DataFrame(np.asarray(content))
        except Exception:
            traceback.print_exc()
            return None  # as if there were none: it is only a help

    def predict(self, data):
        """Predictions for prepared data, [rows] or [rows, k]."""
        import numpy as np

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = np.asarray(self.call(data))
        if out.ndim == 2 and out.shape[1] == 1:
            out = out[:, 0]
        return out


def read_mlmodel(directory):
    try:
        import yaml
    except ImportError:
        raise ModelError(
            "the model's environment lacks mlflow; add it to the requirements"
        ) from None

    path = os.path.join(directory, "MLmodel")
    try:
        with open(path, encoding="utf-8") as f:
            spec = yaml.load(f, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise ModelError("the model directory has no MLmodel file") from None
    except yaml.YAMLError as e:
        raise ModelError(f"the MLmodel file is not readable: {describe(e)}") from e
    if not isinstance(spec, dict):
        raise ModelError("the MLmodel file is empty")
    return spec


def load_pickled(path, serialization, conf):
    """Loads an estimator by the serialization format that MLflow recorded."""
    if serialization == "skops":
        import skops.io

        return skops.io.load(path, trusted=conf.get("skops_trusted_types"))
    with open(path, "rb") as f:
        if serialization == "cloudpickle":
            import cloudpickle

            return cloudpickle.load(f)
        import pickle

        return pickle.load(f)


# --- signature and recorded inputs -----------------------------------------------


class Field:
    def __init__(self, name, kind, required):
        self.name, self.kind, self.required = name, kind, required


class Inputs:
    """A table of inputs in the order and kinds of the model's signature; without a
    table, none."""

    def __init__(self, spec, table):
        self.signature = dict(spec.get("signature") or {})
        if not self.signature.get("inputs"):
            self.signature["inputs"] = json.dumps(infer_columns(table))
        self.tensor = None  # numpy dtype, when the model takes one array
        self.fields = self.parse(json.loads(self.signature["inputs"]))
        self.table = self.arrange(table)

    def parse(self, columns):
        if len(columns) == 1 and columns[0].get("type") == "tensor" and not columns[0].get("name"):
            spec = columns[0]["tensor-spec"]
            kind = TENSOR_KINDS.get(spec["dtype"], spec["dtype"])
            if len(spec["shape"]) == 2 and spec["shape"][1] > 0:
                self.tensor = spec["dtype"]
                real = kind in ("double", "float")
                return [Field(f"x{i}", kind, not real) for i in range(spec["shape"][1])]
        fields = []
        for c in columns:
            kind = c["type"]
            if kind == "tensor":
                kind = TENSOR_KINDS.get(c["tensor-spec"]["dtype"], "object")
            required = c.get("required", not c.get("optional", False))
            fields.append(Field(c.get("name") or "input", kind, required))
        return fields

    def arrange(self, table):
        import numpy as np
        import pandas as pd

        if table is None:
            table = pd.DataFrame(columns=[f.name for f in self.fields])
        if self.tensor and len(table.columns) == len(self.fields):
            table = table.set_axis([f.name for f in self.fields], axis=1)
        columns = {}
        for f in self.fields:
            if f.name in table.columns:
                columns[f.name] = table[f.name].to_numpy()
            elif f.required:
                raise Unsuitable(
                    f"the recorded inputs lack the column {f.name!r}, which the model requires"
                )
            else:
                columns[f.name] = np.full(len(table), np.nan if f.kind in NUMERIC else None)
            if f.kind in NUMERIC or f.kind == "datetime":
                try:
                    columns[f.name] = (
                        columns[f.name].astype(np.float64)
                        if f.kind in NUMERIC
                        else pd.to_datetime(columns[f.name])
                    )
                except (TypeError, ValueError):
                    raise Unsuitable(
                        f"the recorded inputs have values in {f.name!r} that are not {f.kind}"
                    ) from None
        return self.servable(pd.DataFrame(columns))

    def servable(self, table):
        """The rows that a request could carry: no infinity, no missing value where
        the signature requires one."""
        import numpy as np

        keep = np.ones(len(table), dtype=bool)
        for f in self.fields:
            values = table[f.name]
            if f.kind in NUMERIC:
                keep &= ~np.isinf(values.to_numpy())
            if f.required:
                keep &= values.notna().to_numpy()
        return table[keep].reset_index(drop=True)

    def with_missing(self):
        """Rows of the table again, each optional numeric column missing in some."""
        import pandas as pd

        head = self.table.head(MISSING_ROWS)
        rows = []
        for f in self.fields:
            if not f.required and f.kind in NUMERIC and not head.empty:
                rows.append(head.assign(**{f.name: math.nan}))
        return pd.concat(rows, ignore_index=True) if rows else None

    def drawn(self):
        """Rows whose values lie in the ranges of the table's columns, each on its own."""
        import numpy as np
        import pandas as pd

        rng, columns = np.random.default_rng(0), {}
        for f in self.fields:
            values = self.table[f.name].to_numpy()
            columns[f.name] = rng.choice(values, DRAWN_ROWS)
            if f.kind in ("double", "float") and not np.isnan(values).all():
                columns[f.name] = rng.uniform(np.nanmin(values), np.nanmax(values), DRAWN_ROWS)
        return pd.DataFrame(columns)

    def for_python(self, table):
        """What the Python model takes: the table in the signature's types."""
        import numpy as np

        out = {}
        for f in self.fields:
            values = table[f.name].to_numpy()
            if f.kind in NUMERIC:
                dtype = NUMPY[f.kind]
                if dtype[0] != "f" and np.isnan(values).any():
                    dtype = "float64"
                values = values.astype(dtype)
            out[f.name] = values
        if self.tensor:
            return np.column_stack(list(out.values())).astype(self.tensor)
        import pandas as pd

        return pd.DataFrame(out, columns=[f.name for f in self.fields])


def infer_columns(table):
    """MLflow's column list for a model that was logged without a signature."""
    import pandas as pd

    columns = []
    for name in table.columns:
        s = table[name]
        t = pd.api.types
        if t.is_bool_dtype(s.dtype):
            kind = "boolean"
        elif t.is_integer_dtype(s.dtype):
            kind = "long"
        elif t.is_numeric_dtype(s.dtype):
            kind = "double"
        elif t.is_datetime64_any_dtype(s.dtype):
            kind = "datetime"
        else:
            kind = "string"
        columns.append({"type": kind, "name": str(name), "required": not bool(s.isna().any())})
    return columns


def infer_outputs(predictions):
    dtype = str(predictions.dtype)
    if predictions.dtype.kind in "OUS":
        dtype = "str"
    shape = [-1, *predictions.shape[1:]]
    return [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}]


def read_inputs(path):
    import pandas as pd

    try:
        if path.endswith(".json"):
            with open(path, encoding="utf-8") as f:
                table = pd.DataFrame(json.load(f))
        else:
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(path).to_pandas()
    except Exception as e:
        raise ModelError(f"the recorded inputs cannot be read: {describe(e)}") from e
    if len(table) > MAX_ROWS:
        step = math.ceil(len(table) / MAX_ROWS)
        table = table.iloc[::step]
    return table


# --- conversion ------------------------------------------------------------------


def is_lightgbm(obj):
    return type(obj).__module__.split(".")[0] == "lightgbm"


def contains_lightgbm(estimator):
    if is_lightgbm(estimator):
        return True
    return any(contains_lightgbm(step) for _, step in getattr(estimator, "steps", []))


def final(estimator):
    """The estimator that predicts, at the end of a pipeline."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def wanted_output(model):
    """What Python's predictions are: value, label, probabilities or positive."""
    last = final(model.native)
    if type(last).__name__ == "Booster":
        objective = last.dump_model(num_iteration=1).get("objective", "")
        if objective.startswith("binary"):
            return "positive"
        return "probabilities" if objective.startswith("multiclass") else "value"
    if model.predict_fn == "predict_proba":
        return "probabilities"
    if model.predict_fn != "predict":
        raise NotConvertible(f"{model.predict_fn} is not an output of the ONNX converters")
    return "label" if hasattr(last, "classes_") else "value"


class ExactTrees:
    """A converter's container that keeps tree ensembles in double.

    As float32, thresholds and leaves are rounded: a value on a split may go the
    other way, and a sum of hundreds of leaves loses its last digits. ONNX keeps
    both exactly in tensor attributes, for inputs of type double, and ONNX Runtime
    then sums in double: equal to LightGBM, and faster than sums of groups.
    """

    EXACT = ("nodes_values", "target_weights", "class_weights")

    def __init__(self, scope, container, cast):
        self.scope, self.container, self.cast = scope, container, cast

    def __getattr__(self, name):
        return getattr(self.container, name)

    def add_node(self, op_type, inputs, outputs, **attrs):
        if op_type.startswith("TreeEnsemble"):
            inputs = self.as_double(inputs)
            self.keep_exact(attrs)
        self.container.add_node(op_type, inputs, outputs, **attrs)

    def as_double(self, inputs):
        from onnx import TensorProto

        if not self.cast:
            return inputs
        name = self.scope.get_unique_variable_name("double_inputs")
        node = self.scope.get_unique_operator_name("double_inputs")
        self.container.add_node(
            "Cast", inputs, name, to=TensorProto.DOUBLE, name=node, op_version=9
        )
        return [name]

    def keep_exact(self, attrs):
        from onnx import TensorProto, helper

        attrs.pop("nodes_hitrates", None)  # only a hint, and float32
        attrs["op_version"] = 3
        for key in self.EXACT:
            if key in attrs:
                values = [float(v) for v in attrs.pop(key)]
                attrs[key + "_as_tensor"] = helper.make_tensor(
                    key, TensorProto.DOUBLE, [len(values)], values
                )


def convert(model, inputs, form):
    """The ONNX model, with one output that is called prediction."""
    if is_lightgbm(model.native):
        converted = convert_lightgbm(model.native, len(inputs.fields))
    else:
        converted = convert_sklearn(model.native, initial_types(inputs, form))
    return select_output(converted, wanted_output(model))


def convert_lightgbm(estimator, features):
    """A LightGBM model on its own, for inputs of type double."""
    from onnx import TensorProto
    from onnxmltools.convert.common._registration import register_converter
    from onnxmltools.convert.common.data_types import FloatTensorType
    from onnxmltools.convert.lightgbm.convert import convert as convert_model
    from onnxmltools.convert.lightgbm.operator_converters import LightGbm

    def exact(scope, operator, container):
        LightGbm.convert_lightgbm(scope, operator, ExactTrees(scope, container, cast=False))

    for operator in ("LgbmRegressor", "LgbmClassifier", "LgbmRanker"):
        register_converter(operator, exact, overwrite=True)
    converted = convert_model(
        estimator,
        name="model",
        # Declared as float, because the converter knows no other; it is double.
        initial_types=[("inputs", FloatTensorType([None, features]))],
        target_opset=OPSET_LIGHTGBM,
        zipmap=False,
    )
    converted.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    return converted


def initial_types(inputs, form):
    """One tensor of all columns, or a tensor for each, of float or double."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    layout, precision = form
    number = DoubleTensorType if precision == "double" else FloatTensorType
    if layout == "tensor":
        return [("inputs", number([None, len(inputs.fields)]))]
    return [
        (f.name, (number if f.kind in NUMERIC else StringTensorType)([None, 1]))
        for f in inputs.fields
    ]


def convert_sklearn(estimator, types):
    import skl2onnx

    if contains_lightgbm(estimator):
        register_lightgbm()
    last, options = final(estimator), {}
    if hasattr(last, "classes_"):
        options = {id(last): {"zipmap": False}}
    return skl2onnx.convert_sklearn(
        estimator,
        name="model",
        initial_types=types,
        options=options,
        target_opset={"": OPSET, "ai.onnx.ml": 3},
    )


def register_lightgbm():
    """Teaches skl2onnx the LightGBM estimators, for those inside a pipeline."""
    import lightgbm
    from onnxmltools.convert.lightgbm.operator_converters import LightGbm
    from skl2onnx import update_registered_converter
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    def exact(scope, operator, container):
        double = isinstance(operator.inputs[0].type, DoubleTensorType)
        LightGbm.convert_lightgbm(scope, operator, ExactTrees(scope, container, cast=not double))

    def regressor_shapes(operator):
        calculate_linear_regressor_output_shapes(operator)
        operator.outputs[0].type = FloatTensorType(operator.outputs[0].type.shape)

    def classifier_shapes(operator):
        calculate_linear_classifier_output_shapes(operator)
        operator.outputs[1].type = FloatTensorType(operator.outputs[1].type.shape)

    update_registered_converter(
        lightgbm.LGBMRegressor, "FairleadLGBMRegressor", regressor_shapes, exact
    )
    update_registered_converter(
        lightgbm.LGBMClassifier, "FairleadLGBMClassifier", classifier_shapes, exact,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )  # fmt: skip


def select_output(converted, wanted):
    """Keeps the one output that Python returns, under the name prediction."""
    from onnx import TensorProto, helper

    graph = converted.graph
    outputs = {o.name: o for o in graph.output}
    last = list(outputs.values())[-1 if wanted in ("probabilities", "positive") else 0]
    elem = last.type.tensor_type.elem_type
    shape = [None]
    if wanted == "positive":
        graph.initializer.append(helper.make_tensor("positive_column", TensorProto.INT64, [], [1]))
        graph.node.append(
            helper.make_node("Gather", [last.name, "positive_column"], ["prediction"], axis=1)
        )
    else:
        graph.node.append(helper.make_node("Identity", [last.name], ["prediction"]))
        shape = [d.dim_value or None for d in last.type.tensor_type.shape.dim] or [None]
        shape[0] = None
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("prediction", elem, shape))
    return converted


class Session:
    """The ONNX model as it will be served, by ONNX Runtime."""

    TYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}

    def __init__(self, content, inputs):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self.wanted = self.session.get_inputs()
        self.fields = inputs.fields

    def predict(self, table):
        import numpy as np

        feed = {}
        for i in self.wanted:
            dtype = self.TYPES.get(i.type, "object")
            if len(self.wanted) == 1 and i.name == "inputs":
                feed[i.name] = table.to_numpy(dtype=dtype)
            else:
                feed[i.name] = table[i.name].to_numpy(dtype=dtype).reshape(-1, 1)
        out = np.asarray(self.session.run(["prediction"], feed)[0])
        return out[:, 0] if out.ndim == 2 and out.shape[1] == 1 else out


# --- parity ----------------------------------------------------------------------


def differences(python, onnx):
    """|onnx - python| / max(1, |python|) for each row; infinite where only one is
    a number, or where labels differ."""
    import numpy as np

    if python.shape != onnx.shape:
        raise NotConvertible(f"python answers with shape {python.shape}, onnx with {onnx.shape}")
    if python.dtype.kind in "OUS":
        return np.where(python.astype(str) == onnx.astype(str), 0.0, np.inf)
    p, o = python.astype(np.float64), onnx.astype(np.float64)
    with np.errstate(invalid="ignore"):
        d = np.abs(o - p) / np.maximum(1, np.abs(p))
    d = np.where((p == o) | (np.isnan(p) & np.isnan(o)), 0.0, d)
    d = np.where(np.isnan(d), np.inf, d)
    return d.max(axis=1) if d.ndim == 2 else d


def compare(inputs, table, python, onnx):
    """The parity record of the two models' answers to the table."""
    d = differences(python, onnx)
    worst = int(d.argmax())
    p, o = python[worst], onnx[worst]
    if getattr(p, "ndim", 0):
        k = int(abs(p.astype(float) - o.astype(float)).argmax())
        p, o = p[k], o[k]
    row = {f.name: plain(table[f.name].iloc[worst]) for f in inputs.fields}
    parity = {"rows": len(table), "max_relative": number(d[worst]), "tolerance": TOLERANCE}
    parity["worst"] = {"index": worst, "inputs": row, "python": number(p), "onnx": number(o)}
    if d[worst] > TOLERANCE:
        parity["reason"] = (
            f"row {worst} differs: python {show(p)}, onnx {show(o)}"
            f" (relative {d[worst]:.2g}, allowed {TOLERANCE:.0e});"
            f" {int((d > TOLERANCE).sum())} of {len(d)} rows differ"
        )
    return parity


def show(value):
    return (
        format(value, ".9g")
        if isinstance(value, float) or hasattr(value, "dtype") and value.dtype.kind == "f"
        else repr(str(value))
    )


def number(value):
    try:
        value = float(value)
    except (TypeError, ValueError):
        return "NaN"  # a label
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def plain(value):
    """A value of a table as JSON has it."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)


# --- packaging -------------------------------------------------------------------


def refuse_early(model, inputs):
    """Raises NotConvertible for what is known without trying."""
    if model.native is None:
        raise NotConvertible(f"models of {model.loader} have no ONNX converter here")
    for f in inputs.fields:
        if f.kind == "datetime":
            raise NotConvertible(f"column {f.name!r} is a time, which the ONNX model cannot take")
        if f.kind == "string" and not f.required:
            raise NotConvertible(
                f"column {f.name!r} is text that may be missing, and ONNX text cannot be"
            )


def attempts(model, inputs):
    """The forms of the ONNX model's input, in the order to try."""
    if any(f.kind not in NUMERIC for f in inputs.fields):
        return [("columns", "float"), ("columns", "double")]
    if is_lightgbm(model.native):
        return [("tensor", "double")]
    forms = [("tensor", "float"), ("tensor", "double")]
    if contains_lightgbm(model.native):
        forms.reverse()
    if not inputs.tensor:
        forms.append(("columns", "float"))  # for estimators that choose columns by name
    return forms


def to_onnx(model, inputs, table, python):
    """(content, parity) of the first ONNX model that is equal, else NotConvertible;
    the closest one's parity is its second argument."""
    failures = []
    for form in attempts(model, inputs):
        try:
            content = convert(model, inputs, form).SerializeToString(deterministic=True)
            onnx = Session(content, inputs).predict(table)
            parity = compare(inputs, table, python, onnx)
        except ImportError as e:
            raise NotConvertible(f"the ONNX converters are not installed: {describe(e)}") from e
        except NotConvertible as e:
            failures.append((math.inf, e))
            continue
        except Exception as e:
            # A converter may fail in any way on a model that it does not know.
            traceback.print_exc()
            failures.append((math.inf, NotConvertible(f"the conversion failed: {describe(e)}")))
            continue
        if "reason" not in parity:
            return content, parity
        distance = float(parity["max_relative"])
        failures.append(
            (min(distance, sys.float_info.max), NotConvertible(parity["reason"], parity))
        )
    raise min(failures, key=lambda f: f[0])[1]


def choose_inputs(model, table):
    """(inputs, the rows to add to them, why there are none)."""
    try:
        inputs = Inputs(model.spec, table)
        return inputs, [inputs.with_missing()], "there are no recorded inputs to compare on"
    except Unsuitable as e:
        example = model.example()
        if example is None or example.empty:
            why = f"{e}, and it was logged without an input_example to compare on instead"
            return Inputs(model.spec, None), [], why
    inputs = Inputs(model.spec, example)
    return inputs, [inputs.drawn(), inputs.with_missing()], "its input_example has no usable row"


def package(model_dir, out_dir, inputs_path, report):
    table = read_inputs(inputs_path)
    model = Model(model_dir)
    inputs, extra, without = choose_inputs(model, table)
    table, python = answer(model, inputs, extra)
    signature = {
        "inputs": inputs.signature["inputs"],
        "outputs": inputs.signature.get("outputs") or json.dumps(infer_outputs(python)),
    }
    shutil.copytree(
        model_dir, os.path.join(out_dir, "model"), ignore=shutil.ignore_patterns("__pycache__")
    )
    parity = {"rows": 0, "max_relative": 0, "tolerance": TOLERANCE}
    result = {
        "engine": "python",
        "model": "model",
        "python": platform.python_version(),
        "signature": signature,
        "parity": parity,
    }
    report(result)
    try:
        if len(table) == 0:
            raise NotConvertible(without)
        refuse_early(model, inputs)
        content, parity = to_onnx(model, inputs, table, python)
    except NotConvertible as e:
        parity = e.args[1] if len(e.args) > 1 else parity
        report({**result, "parity": {**parity, "reason": e.args[0]}})
        return
    with open(os.path.join(out_dir, "model.onnx"), "wb") as f:
        f.write(content)
    onnx = {"engine": "onnx", "model": "model.onnx", "converter": converter(model)}
    report({**result, **onnx, "parity": parity})


def answer(model, inputs, extra):
    """(rows, Python's predictions): the inputs, and those extra rows that the model
    takes."""
    import numpy as np
    import pandas as pd

    table = inputs.table
    if table.empty:
        return table, np.zeros(0)
    try:
        python = model.predict(inputs.for_python(table))
    except Exception as e:
        raise ModelError(f"the model loads, but fails on the recorded inputs: {describe(e)}") from e
    for more in extra:
        if more is None:
            continue
        try:
            answers = model.predict(inputs.for_python(more))
        except Exception:
            continue  # optional in name only, say: ONNX is not asked either
        table = pd.concat([table, more], ignore_index=True)
        python = np.concatenate([python, answers])
    return table, python


def converter(model):
    from importlib.metadata import version

    name = "onnxmltools" if contains_lightgbm(model.native) else "skl2onnx"
    return f"{name} {version(name)}"


def describe(e):
    text = " ".join(str(e).split())
    return f"{type(e).__name__}: {text[:300]}" if text else type(e).__name__


def main(argv):
    model_dir, out_dir, inputs_path, result_path = argv

    def report(result):
        with open(result_path + ".new", "w", encoding="utf-8") as f:
            json.dump(result, f)
        os.replace(result_path + ".new", result_path)

    try:
        package(model_dir, out_dir, inputs_path, report)
    except ModelError as e:
        traceback.print_exc()
        report({"error": str(e)})
        return 3
    return 0


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    sys.exit(main(sys.argv[1:]))
