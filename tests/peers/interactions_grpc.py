"""A client and a server of interactions.proto, by grpcio: what programs of others do with our ends.

client ADDRESS KEY COUNT [bad]: reports COUNT records on one stream and prints what was answered, as JSON.
server [plain|old|broken]: prints its port, stores in memory, and prints what it has, as JSON, when its input ends. `old` names
no record_id in its answers; `broken` ends each stream after ten records.
"""

import json
import pathlib
import sys
import tempfile
import threading
from concurrent import futures

import grpc
from google.protobuf import struct_pb2, wrappers_pb2
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "src/interactions/grpc"
made = tempfile.mkdtemp()
include = str(pathlib.Path(protoc.__file__).parent / "_proto")
if protoc.main(["", f"-I{PROTO}", f"-I{include}", f"--python_out={made}", f"--grpc_python_out={made}", str(PROTO / "interactions.proto")]):
    sys.exit("protoc failed")
sys.path.insert(0, made)
import interactions_pb2 as pb  # noqa: E402
import interactions_pb2_grpc as rpc  # noqa: E402


def record(number):
    return {"action": "interaction_start", "record_id": f"py-{number}", "interaction_id": f"int_{number % 3}", "mcp_id": "me",
            "timestamp": 1700000000.5 + number, "request_data": {"input_size": number}}


def message(number):
    """In turn each of the three ways in which a record may lie in a message."""
    value = record(number)
    data = pb.InteractionData(mcp_id="me", interaction_id=value["interaction_id"], timestamp=1700000000 + number)
    if number % 3 == 0:
        data.data.Pack(wrappers_pb2.StringValue(value=json.dumps(value)))
    elif number % 3 == 1:
        data.data.Pack(wrappers_pb2.BytesValue(value=json.dumps(value).encode()))
    else:
        struct = struct_pb2.Struct()
        struct.update(value)
        data.data.Pack(struct)
    return data


def client(address, key, count, bad):
    def messages():
        for number in range(count):
            yield message(number)
        if bad:
            wrong = pb.InteractionData(mcp_id="me", interaction_id="int_bad")
            wrong.data.Pack(wrappers_pb2.StringValue(value="{}"))
            yield wrong

    metadata = [("authorization", f"Bearer {key}")] if key else []
    out = {"stored": [], "refused": [], "status": "OK", "detail": ""}
    with grpc.insecure_channel(address) as channel:
        try:
            for answer in rpc.InteractionServiceStub(channel).StreamInteractions(messages(), metadata=metadata, timeout=60):
                if answer.success:
                    out["stored"].append(answer.record_id)
                else:
                    out["refused"].append([answer.interaction_id, answer.message])
        except grpc.RpcError as error:
            out["status"], out["detail"] = error.code().name, error.details()
    print(json.dumps(out))


class Service(rpc.InteractionServiceServicer):
    def __init__(self, mode):
        self.mode, self.stored, self.arrivals, self.lock = mode, {}, 0, threading.Lock()

    def StreamInteractions(self, messages, context):
        for place, one in enumerate(messages):
            if self.mode == "broken" and place >= 10:
                context.abort(grpc.StatusCode.UNAVAILABLE, "gone for now")
            text = wrappers_pb2.StringValue()
            one.data.Unpack(text)
            value = json.loads(text.value)
            with self.lock:
                self.arrivals += 1
                self.stored.setdefault(value["record_id"], value)
            name = "" if self.mode == "old" else value["record_id"]
            yield pb.InteractionResponse(interaction_id=one.interaction_id, success=True, record_id=name)


def server(mode):
    service = Service(mode)
    serving = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    rpc.add_InteractionServiceServicer_to_server(service, serving)
    port = serving.add_insecure_port("127.0.0.1:0")
    serving.start()
    print(port, flush=True)
    sys.stdin.read()
    serving.stop(None)
    print(json.dumps({"stored": list(service.stored), "arrivals": service.arrivals}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "client":
        client(sys.argv[2], sys.argv[3], int(sys.argv[4]), "bad" in sys.argv[5:])
    else:
        server((sys.argv[2:] or ["plain"])[0])
