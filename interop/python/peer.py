"""The Rust Asherah (PyPI package `asherah`) behind a pipe: one JSON request a line on standard input, one JSON answer a
line on standard output. `interop/README.md` lists the requests."""

import base64
import json
import sys
import traceback

import asherah


def metastore_of(request):
    if "sqlUrl" in request:
        return {"Metastore": "rdbms", "ConnectionString": request["sqlUrl"]}
    if "dynamoDb" not in request:
        return {"Metastore": "sqlite", "ConnectionString": request["path"]}
    settings = request["dynamoDb"]
    return {
        "Metastore": "dynamodb",
        "DynamoDBEndpoint": settings["endpoint"],
        "DynamoDBRegion": settings["region"],
        "DynamoDBTableName": settings["tableName"],
        "EnableRegionSuffix": settings["regionSuffix"],
    }


def kms_of(request):
    if "kmsKeyId" in request:
        return {"KMS": "aws", "KmsKeyId": request["kmsKeyId"]}
    if "awsKms" not in request:
        return {"KMS": "static", "StaticMasterKeyHex": request["masterKey"].encode("utf-8").hex()}
    settings = request["awsKms"]
    return {"KMS": "aws", "RegionMap": settings["regionMap"], "PreferredRegion": settings["preferredRegion"]}


class Peer:
    def __init__(self):
        self.factory = None

    def open(self, request):
        self.close()
        config = {
            "ServiceName": request["service"],
            "ProductID": request["product"],
            "EnableSessionCaching": False,
            **metastore_of(request),
            **kms_of(request),
        }
        if "expireAfterSeconds" in request:
            config["ExpireAfter"] = request["expireAfterSeconds"]
        self.factory = asherah.SessionFactory(config)

    def encrypt(self, request):
        with self.factory.get_session(request["partition"]) as session:
            return session.encrypt_bytes(base64.b64decode(request["plaintext"], validate=True))

    def decrypt(self, request):
        with self.factory.get_session(request["partition"]) as session:
            return base64.b64encode(session.decrypt_bytes(request["record"])).decode("ascii")

    def close(self):
        if self.factory is not None:
            self.factory.close()
            self.factory = None


def main():
    # Binary streams: the text streams' encoding depends on the locale.
    peer = Peer()
    handlers = {"open": peer.open, "encrypt": peer.encrypt, "decrypt": peer.decrypt}
    for line in sys.stdin.buffer:
        request = json.loads(line)
        answer = {"id": request["id"]}
        try:
            answer.update(ok=True, result=handlers[request["op"]](request))
        except Exception as error:  # whatever the library raises is the answer
            traceback.print_exc()
            answer.update(ok=False, error=f"{type(error).__name__}: {error}")
        sys.stdout.buffer.write(json.dumps(answer).encode("ascii") + b"\n")
        sys.stdout.buffer.flush()
    peer.close()


main()
