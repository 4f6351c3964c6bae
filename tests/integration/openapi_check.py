#!/usr/bin/python3
"""What the server really answered, held against openapi.yaml: openapi_check.py openapi.yaml exchanges.jsonl

Each exchange must be a documented operation with a documented status (or the default), its answer must fit the schema, an accepted
request must fit its schema, and every operation must have been exercised. Debian: python3-yaml, python3-jsonschema.
"""
import json
import re
import sys

import jsonschema
import yaml


def main(document_path, exchanges_path):
    with open(document_path) as file:
        document = yaml.safe_load(file)
    validators = {}

    def fits(schema, value):
        key = json.dumps(schema, sort_keys=True)
        if key not in validators:
            resolver = jsonschema.RefResolver("", document)
            validators[key] = jsonschema.Draft202012Validator(schema, resolver=resolver)
        validators[key].validate(value)

    def resolve(node):
        while "$ref" in node:
            target = document
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part]
            node = target
        return node

    paths = [(re.compile("^" + re.sub(r"{[^}]+}", "[^/]+", path) + "$"), path) for path in
             sorted(document["paths"], key=lambda path: "{" in path)]
    exercised, faults, checked = set(), [], 0
    for line in open(exchanges_path):
        exchange = json.loads(line)
        method, path = exchange["method"].lower(), exchange["path"].split("?")[0]
        pattern = next((pattern for regex, pattern in paths if regex.match(path)), None)
        operation = document["paths"].get(pattern, {}).get(method)
        status = exchange["status"]
        if operation is None:
            if status not in (404, 405) and method not in ("options", "head"):
                faults.append(f"{method} {path}: answered {status}, not documented")
            continue
        exercised.add(operation["operationId"])
        responses = operation["responses"]
        response = resolve(responses.get(str(status), responses["default"]))
        if status < 400 and str(status) not in responses:
            faults.append(f"{operation['operationId']}: status {status} is not documented")
        try:
            for content in response.get("content", {}).values():
                fits(content["schema"], json.loads(exchange["answer"]))
            if status < 300 and "requestBody" in operation:
                body = resolve(operation["requestBody"])["content"]["application/json"]["schema"]
                fits(body, json.loads(exchange["request"]))
        except (jsonschema.ValidationError, json.JSONDecodeError) as error:
            faults.append(f"{operation['operationId']} {status}: {str(error).splitlines()[0]}")
        checked += 1
    known = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    faults += [f"{name}: never exercised" for name in sorted(known - exercised)]
    print("\n".join(faults) if faults else f"{checked} answers fit openapi.yaml, {len(known)} operations")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
