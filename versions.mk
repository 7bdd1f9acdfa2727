# Every version that the build, the tests and the examples pin, in one place. Where a
# file must name one itself, a test holds it to this (e2e/house_pins_test.go).
# Go modules are pinned in go.mod, the examples' Python packages in their
# requirements.txt, the converters of packaging in python/converters.txt.
UV_VERSION            := 0.13.8
ONNXRUNTIME_VERSION   := 1.31.1
ISLP_VERSION          := 0.6.0
STATICCHECK_VERSION   := v0.8.2
MLFLOW_VERSION        := 3.17.2
MLFLOW2_VERSION       := 2.22.4
FASTTRACKML_VERSION   := 0.6.0
XGBOOST_VERSION       := 3.2.0
PSYCOPG2_VERSION      := 2.9.13
TENSORFLOW_VERSION    := 2.21.0
TORCH_VERSION         := 2.15.0
LIGHTNING_VERSION     := 2.6.6
TRITONCLIENT_VERSION  := 2.73.0
DVC_VERSION           := 3.67.1
