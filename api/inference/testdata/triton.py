"""The flow of an unmodified tritonclient: argv is the server's host:port/path."""
import sys

import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException


def column(name, values, dtype, datatype, binary):
    t = http.InferInput(name, [len(values)], datatype)
    t.set_data_from_numpy(np.array(values, dtype=dtype), binary_data=binary)
    return t


def refused(status, fn):
    try:
        fn()
    except InferenceServerException as e:
        assert e.status() == str(status), (status, e.status(), e.message())
        assert e.message(), "an error without words"
        return
    raise AssertionError(f"was not refused with {status}")


def flow(url):
    c = http.InferenceServerClient(url)
    assert c.is_server_live() and c.is_server_ready()
    assert c.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert c.is_model_ready("flights") and c.is_model_ready("flights@production", "1")
    assert not c.is_model_ready("boats") and not c.is_model_ready("flights", "7")
    meta = c.get_model_metadata("flights@production")
    assert meta["inputs"][0] == {"name": "hr", "datatype": "FP64", "shape": [-1]}, meta
    assert meta["outputs"] == [{"name": "riders", "datatype": "FP64", "shape": [-1]}], meta
    assert meta["versions"] == ["1"], meta
    for binary in (True, False):
        hr = column("hr", [3.0, 4.0], np.float64, "FP64", binary)
        hum = column("hum", [0.5, float("nan")], np.float64, "FP64", True)
        text = column("note", ["ä", "b"], np.object_, "BYTES", binary)
        for out in (None, [http.InferRequestedOutput("riders", binary_data=binary)]):
            for compression in (None, "gzip", "deflate"):
                r = c.infer("flights@production", [hr, hum, text], outputs=out,
                            request_compression_algorithm=compression)
                assert r.as_numpy("riders").tolist() == [1003.0, 1004.0], r.get_response()
        r = c.infer("flights@production", [hr], model_version="1", request_id=f"mine-{binary}")
        assert r.get_response()["id"] == f"mine-{binary}"
        matrix = http.InferInput("input", [2, 2], "FP32")
        matrix.set_data_from_numpy(np.array([[5, 0], [6, 0]], np.float32), binary_data=binary)
        assert c.infer("flights", [matrix]).as_numpy("riders").tolist() == [1005.0, 1006.0]
    wrong = column("hr", ["x"], np.object_, "BYTES", True)
    refused(400, lambda: c.infer("flights", [wrong]))
    refused(400, lambda: c.infer("flights", [column("hum", [1.0], np.float64, "FP64", True)]))
    refused(400, lambda: c.infer("flights", [hr], outputs=[http.InferRequestedOutput("nothing")]))
    refused(404, lambda: c.infer("boats", [hr]))
    refused(404, lambda: c.infer("flights", [hr], model_version="7"))
    refused(401, lambda: c.infer("flights", [hr], parameters={"event_time": "2011-03-01T05:00:00Z"}))
    c.close()


for url in sys.argv[1:]:
    flow(url)
