"""Serves one MLflow model over the socket it inherits as file descriptor 3.

    fairlead_worker.py CONFIG

CONFIG is a JSON object: `model` (an MLflow model directory), `inputs` (the
signature's columns: name and kind) and `tensor` (true when the model takes one
array instead of named columns).

A message is two little-endian uint32, the lengths of a JSON header and of a body,
and then both. The first message, from here, says {"ready": …} or {"error": …}.
Then each request is {"rows": n, "columns": [c, …]}, with the signature's columns in
order: c is "f8" (the body has n float64; NaN is missing), "i8" (n int64), or a list
of strings and nulls. The answer is {"rows": n, "columns": [{"name", "kind",
"data": c}, …]}, or {"error": {"code", "message"}}: the code is "invalid" where the
request is at fault, "unavailable" where the machine is, else "internal".

Requests come one after another. The end of the socket ends the process, so it
never outlives its server; standard output and error are only a log.
"""

import errno
import faulthandler
import json
import os
import platform
import socket
import struct
import sys
import time
import traceback

LENGTHS = struct.Struct("<II")
NUMPY = {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "integer": "int32",
    "boolean": "bool",
}


class Channel:
    """Messages over a socket."""

    def __init__(self, sock):
        self.sock = sock

    def receive(self):
        """(header, body), or None at the end."""
        head = self.read(LENGTHS.size)
        if head is None:
            return None
        header_len, body_len = LENGTHS.unpack(head)
        data = self.read(header_len + body_len)
        if data is None:
            return None
        return json.loads(bytes(data[:header_len])), data[header_len:]

    def read(self, size):
        buf = bytearray(size)
        view, got = memoryview(buf), 0
        while got < size:
            n = self.sock.recv_into(view[got:])
            if n == 0:
                return None
            got += n
        return view

    def send(self, header, *body):
        text = json.dumps(header, allow_nan=False).encode()
        size = sum(len(b) for b in body)
        self.sock.sendall(b"".join([LENGTHS.pack(len(text), size), text, *body]))


class Model:
    """The loaded model, and how a request becomes its input."""

    def __init__(self, config):
        import mlflow.pyfunc
        import numpy
        import pandas

        self.np, self.pd = numpy, pandas
        self.fields = config["inputs"]
        self.tensor = config.get("tensor")
        self.model = mlflow.pyfunc.load_model(config["model"])
        self.skip_enforcement()

    def skip_enforcement(self):
        """Lets MLflow hand the data on as it is.

        The server has checked it against the same signature already. MLflow's own
        check costs a millisecond a call, and refuses a missing value in an integer
        column that the signature declares optional. Params need it for defaults.
        """
        meta = self.model.metadata
        params = getattr(meta, "get_params_schema", lambda: None)()
        if meta.signature is not None and params is None:
            meta.signature = None

    def answer(self, header, body):
        """(header, body parts) of the answer to one request."""
        return self.encode(self.model.predict(self.decode(header, body)), header["rows"])

    def decode(self, header, body):
        rows, offset, columns = header["rows"], 0, {}
        for field, data in zip(self.fields, header["columns"], strict=True):
            if isinstance(data, list):
                columns[field["name"]] = self.text(field["kind"], data)
                continue
            values = self.np.frombuffer(body, dtype=data, count=rows, offset=offset)
            offset += values.nbytes
            columns[field["name"]] = self.cast(field["kind"], values)
        if self.tensor:
            return self.np.column_stack(list(columns.values()))
        return self.pd.DataFrame(columns, copy=False)

    def cast(self, kind, values):
        """Values in the kind's own type; integers with missing ones stay float64."""
        if kind in ("double", "float") or not self.np.isnan(values).any():
            return values.astype(NUMPY[kind])
        if kind == "boolean":
            return self.np.array([None if v != v else bool(v) for v in values], dtype=object)
        return values.copy()

    def text(self, kind, values):
        if kind == "datetime":
            times = self.pd.to_datetime(values, format="ISO8601", utc=True)
            return times.tz_localize(None)
        return self.np.array(values, dtype=object)

    def encode(self, out, rows):
        columns, body = [], []
        for name, values in self.named(out):
            if len(values) != rows:
                raise ValueError(f"the model answered {len(values)} rows to {rows}")
            kind, data = self.column(values)
            columns.append(
                {
                    "name": name,
                    "kind": kind,
                    "data": data if isinstance(data, list) else data.dtype.str[1:],
                }
            )
            if not isinstance(data, list):
                body.append(data.tobytes())
        return {"rows": rows, "columns": columns}, body

    def named(self, out):
        """(name, values) of each output column; the name is empty for an array's."""
        if isinstance(out, dict):
            out = self.pd.DataFrame(out)
        if isinstance(out, self.pd.DataFrame):
            return [(str(c), out[c]) for c in out.columns]
        if isinstance(out, self.pd.Series):
            return [("", out)]
        if hasattr(out, "toarray"):
            out = out.toarray()
        out = self.np.asarray(out)
        if out.ndim == 2:
            return [("", out[:, i]) for i in range(out.shape[1])]
        if out.ndim != 1:
            raise ValueError(
                f"the model answered with shape {out.shape}; one value a row and column is served"
            )
        return [("", out)]

    def column(self, values):
        values = self.np.asarray(values)
        kind = values.dtype.kind
        if kind == "b":
            return "boolean", values.astype("<f8")
        if kind in "iu":
            return "long", values.astype("<i8")
        if kind == "f":
            return "double", values.astype("<f8")
        if kind == "M":
            return "datetime", [
                None if s == "NaT" else s + "Z" for s in self.np.datetime_as_string(values)
            ]
        values = list(values)
        if all(
            v is None or isinstance(v, (int, float)) and not isinstance(v, bool) for v in values
        ):
            return "double", self.np.array(
                [float("nan") if v is None else v for v in values], dtype="<f8"
            )
        return "string", [None if v is None or v != v else str(v) for v in values]


def describe(e):
    text = " ".join(str(e).split())
    return f"{type(e).__name__}: {text[:1000]}" if text else type(e).__name__


# What the machine lacks at the moment, and no model can be blamed for.
SHORT = {errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN}


def blame(e):
    """Whose fault a failure is: MLflow marks the caller's."""
    if isinstance(e, MemoryError) or isinstance(e, OSError) and e.errno in SHORT:
        return "unavailable"
    code = getattr(e, "error_code", "")
    return "invalid" if code in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST") else "internal"


def failure(e, what):
    traceback.print_exc()
    sys.stderr.flush()
    return {"error": {"code": blame(e), "message": f"the model {what}: {describe(e)}"}}


def main(argv):
    faulthandler.enable()
    sock = socket.socket(fileno=3)
    os.set_inheritable(3, False)
    channel = Channel(sock)
    started = time.monotonic()
    try:
        model = Model(json.loads(argv[0]))
    except BaseException as e:  # also SystemExit: a model may call sys.exit as it loads
        channel.send(failure(e, "does not load"))
        return 3
    channel.send(
        {"ready": True, "python": platform.python_version(), "seconds": time.monotonic() - started}
    )
    while (message := channel.receive()) is not None:
        try:
            header, body = model.answer(*message)
        except Exception as e:
            header, body = failure(e, "failed on this request"), []
        channel.send(header, *body)
    return 0


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except (BrokenPipeError, ConnectionResetError):
        status = 0
    sys.stdout.flush()
    os._exit(status)  # a model's own threads must not keep the process
