#!/usr/bin/python3
"""What the server really answered, held against openapi.yaml: openapi_check.py openapi.yaml exchanges.jsonl

- The document is valid: OpenAPI 3.1's structure as far as it is used here, every schema a JSON Schema, every reference found,
  every component used.
- It has every route of server/api/service.c, and every problem code of docs/problems.md under its own status, and no others.
- Each exchange is a documented operation, with documented parameters and a documented status, content type, headers and body;
  an accepted request fits its schema; no problem code comes but those documented for that operation and status.
- Everything documented was exercised, but for what UNPROVOKED names.

Debian: python3-yaml, python3-jsonschema.
"""
import json
import re
import sys
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]

# Documented, and not to be provoked from outside. Each with its reason.
UNPROVOKED = {
    ("createTransfer", "422", "rule_denied"): "no form of rule denies yet",
    ("createQuote", "422", "rule_denied"): "likewise",
    ("changeTotp", "409", "request_in_progress"): "two first uses of a key within one statement's time",
    ("deleteCurrentSession", "404", "session_not_found"): "two sign-outs at once, both past the gate",
    ("showMetrics", "503", "overloaded"): "out of memory",
    ("showMetrics", "503", "database_unavailable"): "it needs no database",
}
# Everywhere the same code answers these: once anywhere is enough.
COMMON = {"429", "431", "500", "503"}
# Of every answer, told by HTTP itself.
FRAMING = {"content-type", "content-length"}

TEXT = {"type": "string", "minLength": 1}
SCHEMA = {"type": ["object", "boolean"]}


def shape(required, properties, **more):
    return {"type": "object", "required": required, "properties": properties, "patternProperties": {"^x-": True},
            "additionalProperties": False, **more}


def each(value):
    return {"type": "object", "additionalProperties": value, "minProperties": 1}


CONTENT = each(shape(["schema"], {"schema": SCHEMA}))
SECURITY = {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "array"}}}
SERVERS = {"type": "array", "minItems": 1, "items": shape(["url"], {"url": TEXT, "description": TEXT})}
PARAMETER = shape(["name", "in", "schema"], {
    "name": TEXT, "in": {"enum": ["query", "header", "path"]}, "required": {"type": "boolean"}, "description": TEXT,
    "schema": SCHEMA, "example": True},
    **{"if": {"properties": {"in": {"const": "path"}}}, "then": {"required": ["required"]}})
HEADER = shape(["schema"], {"required": {"type": "boolean"}, "description": TEXT, "schema": SCHEMA})
RESPONSE = shape(["description"], {"description": TEXT, "headers": each(HEADER), "content": CONTENT})
BODY = shape(["content"], {"required": {"type": "boolean"}, "content": CONTENT, "description": TEXT})
OPERATION = shape(["operationId", "summary", "tags", "security", "responses"], {
    "operationId": {"type": "string", "pattern": "^[a-z][A-Za-z]+$"}, "summary": TEXT, "description": TEXT,
    "tags": {"type": "array", "items": TEXT, "minItems": 1}, "security": SECURITY,
    "servers": SERVERS, "parameters": {"type": "array", "items": PARAMETER}, "requestBody": BODY,
    "responses": {"type": "object", "minProperties": 1, "additionalProperties": False,
                  "patternProperties": {"^[1-5][0-9][0-9]$": RESPONSE}}})
METHODS = ["get", "put", "post", "delete", "patch"]
PATH = shape([], {"servers": SERVERS, "parameters": {"type": "array", "items": PARAMETER},
                  **{method: OPERATION for method in METHODS}})
SCHEME = {"oneOf": [shape(["type", "scheme"], {"type": {"const": "http"}, "scheme": TEXT, "description": TEXT}),
                    shape(["type"], {"type": {"const": "mutualTLS"}, "description": TEXT})]}
DOCUMENT = shape(["openapi", "info", "servers", "paths", "components"], {
    "openapi": {"type": "string", "pattern": r"^3\.1\.[0-9]+$"},
    "info": shape(["title", "version"], {"title": TEXT, "version": TEXT, "description": TEXT,
                                         "license": shape(["name"], {"name": TEXT, "identifier": TEXT})}),
    "servers": SERVERS,
    "tags": {"type": "array", "items": shape(["name"], {"name": TEXT, "description": TEXT})},
    "paths": {"type": "object", "additionalProperties": False, "patternProperties": {"^/": PATH}},
    "components": shape([], {"schemas": each(SCHEMA), "responses": each(RESPONSE), "parameters": each(PARAMETER),
                             "requestBodies": each(BODY), "headers": each(HEADER), "securitySchemes": each(SCHEME)})})


def is_served(item, operation, public):
    """On that listener? Without servers it is on the public one."""
    servers = operation.get("servers", item.get("servers", [{"url": "public"}]))
    return any(server["url"].endswith(":8444") != public for server in servers)


class Document:
    """openapi.yaml, with references resolved where it is looked at."""

    def __init__(self, path):
        self.raw = yaml.safe_load(Path(path).read_text())
        self.used = set()
        self.validators = {}

    def find(self, reference):
        node = self.raw
        for part in reference.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def whole(self, node, in_schema=False):
        """The same with references put in, but for those of schemas, which may be recursive."""
        if isinstance(node, list):
            return [self.whole(item, in_schema) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            self.used.add(node["$ref"])
            target = self.find(node["$ref"])
            return node if in_schema else self.whole(target)
        return {key: self.whole(value, in_schema or key in ("schema", "schemas")) for key, value in node.items()}

    def fits(self, schema, value):
        key = json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            resolver = jsonschema.RefResolver("", self.raw)
            self.validators[key] = jsonschema.Draft202012Validator(schema, resolver=resolver)
        self.validators[key].validate(value)


def first_line(error):
    path = "/".join(str(part) for part in error.absolute_path)
    return f"{path}: {error.message.splitlines()[0][:200]}"


def check_schemas(node, faults, where):
    """Every schema is one, wherever it stands."""
    if isinstance(node, list):
        for item in node:
            check_schemas(item, faults, where)
    elif isinstance(node, dict):
        for key, value in node.items():
            for name, schema in (value.items() if key == "schemas" else [("", value)] if key == "schema" else []):
                try:
                    jsonschema.Draft202012Validator.check_schema(schema)
                except jsonschema.SchemaError as error:
                    faults.append(f"{where}/{key}/{name} is no schema: {first_line(error)}")
            if key not in ("schema", "schemas"):
                check_schemas(value, faults, f"{where}/{key}")


def check_document(document, faults):
    try:
        whole = document.whole(document.raw)
    except (KeyError, TypeError) as error:
        faults.append(f"a reference leads nowhere: {error}")
        return None
    for error in jsonschema.Draft202012Validator(DOCUMENT).iter_errors(whole):
        faults.append(f"the document is invalid at {first_line(error)}")
    if faults:
        return None
    check_schemas(document.raw, faults, "#")
    schemes = set(document.raw["components"]["securitySchemes"])
    tags = {tag["name"] for tag in document.raw["tags"]}
    seen = set()
    for path, item in whole["paths"].items():
        for method in set(item) & set(METHODS):
            operation = item[method]
            name = operation["operationId"]
            if name in seen:
                faults.append(f"{name}: two operations have this id")
            seen.add(name)
            parameters = item.get("parameters", []) + operation.get("parameters", [])
            in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
            if in_path != set(re.findall(r"{([^}]+)}", path)):
                faults.append(f"{name}: the path's parameters are {path}, not {sorted(in_path)}")
            if {scheme for way in operation["security"] for scheme in way} - schemes:
                faults.append(f"{name}: an unknown security scheme")
            if set(operation["tags"]) - tags:
                faults.append(f"{name}: an unknown tag")
    # what lies outside of operations: any other path, any other method
    document.used |= {"#/components/responses/NotFound", "#/components/responses/MethodNotAllowed"}
    for kind, named in document.raw["components"].items():
        for name in named:
            if not kind.startswith("x-") and kind != "securitySchemes" \
                    and f"#/components/{kind}/{name}" not in document.used:
                faults.append(f"#/components/{kind}/{name} is used by nothing")
    return whole


def problem_codes(response):
    content = response.get("content", {}).get("application/problem+json")
    return set() if content is None else set(content["schema"]["allOf"][1]["properties"]["code"]["enum"])


def check_catalogue(document, whole, faults):
    page = (ROOT / "docs/problems.md").read_text()
    catalogue = dict(re.findall(r"^## (\w+)\n\n(\d+):", page, re.MULTILINE))
    listed = set(document.raw["components"]["schemas"]["ProblemCode"]["enum"])
    for code in sorted(set(catalogue) ^ listed):
        faults.append(f"{code} is in only one of docs/problems.md and the schema ProblemCode")
    answered = {(status, code) for item in whole["paths"].values() for method in set(item) & set(METHODS)
                for status, response in item[method]["responses"].items() for code in problem_codes(response)}
    for name in ("NotFound", "MethodNotAllowed"):
        response = whole["components"]["responses"][name]
        answered |= {(catalogue.get(code), code) for code in problem_codes(response)}
    for status, code in sorted(answered):
        if catalogue.get(code) != status:
            faults.append(f"{code} is documented under {status}, the catalogue says {catalogue.get(code)}")
    for code in sorted(set(catalogue) - {code for _, code in answered}):
        faults.append(f"{code}: no answer is documented to have it")


def check_routes(whole, faults):
    source = (ROOT / "server/api/service.c").read_text()
    routes = {(method.lower(), path) for method, path in re.findall(r'{METHOD_(\w+), "([^"]+)"', source)}
    documented = {(method, path) for path, item in whole["paths"].items() for method in set(item) & set(METHODS)}
    for method, path in sorted(routes ^ documented):
        faults.append(f"{method} {path} is in only one of server/api/service.c and the document")


class Exchanges:
    def __init__(self, document, whole, faults):
        self.document, self.whole, self.faults = document, whole, faults
        self.seen, self.checked = set(), 0
        self.paths = [(re.compile("^" + re.sub(r"{[^}]+}", "[^/]+", path) + "$"), path) for path in
                      sorted(whole["paths"], key=lambda path: "{" in path)]

    def check(self, exchange):
        self.checked += 1
        method, (path, _, query) = exchange["method"].lower(), exchange["path"].partition("?")
        pattern = next((pattern for regex, pattern in self.paths if regex.match(path)), None)
        item = self.whole["paths"].get(pattern, {})
        here = {one for one in METHODS if one in item and is_served(item, item[one], exchange["public"])}
        item = item if here else {}
        bare = method == "head"
        wanted = "get" if bare else method
        operation = item[wanted] if wanted in here else None
        responses = self.whole["components"]["responses"]
        status = str(exchange["status"])
        if status == "431":
            return self.answer("any", status, responses["HeadersTooLarge"], exchange, bare)
        if not item:
            return self.answer("notFound", "404", responses["NotFound"], exchange, bare)
        if method == "options":
            if status != "204" or "allow" not in exchange["headers"]:
                self.faults.append(f"OPTIONS {path}: answered {status}")
            return None
        if operation is None:
            return self.answer("methodNotAllowed", "405", responses["MethodNotAllowed"], exchange, bare)
        name = operation["operationId"]
        response = operation["responses"].get(status)
        if response is None:
            self.faults.append(f"{name}: answered {status}, not documented: {exchange['answer'][:200]}")
            return None
        if status < "400":
            self.request(name, item.get("parameters", []) + operation.get("parameters", []), query, exchange)
            if "requestBody" in operation and status < "300":
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                self.fit(f"{name}'s request", schema, json.loads(exchange["request"] or "{}"))
        return self.answer(name, status, response, exchange, bare)

    def request(self, name, parameters, query, exchange):
        given = {("query", part.partition("=")[0]): part.partition("=")[2] for part in query.split("&") if part}
        given |= {("header", key): value for key, value in exchange["request_headers"].items()
                  if key not in ("authorization", "user-agent", "content-type")}
        if exchange["key"]:
            given["header", "idempotency-key"] = exchange["key"]
        known = {(parameter["in"], parameter["name"].lower()): parameter for parameter in parameters}
        for key in sorted(set(given) - set(known)):
            self.faults.append(f"{name}: takes {key[0]} parameter {key[1]}, not documented")
        for key, parameter in known.items():
            if key in given:
                self.seen.add((name, *key))
                value = given[key]
                number = self.document.find(parameter["schema"]["$ref"]) if "$ref" in parameter["schema"] else \
                    parameter["schema"]
                self.fit(f"{name}'s {key[1]}", parameter["schema"],
                         int(value) if number.get("type") == "integer" else value)
            elif parameter.get("required") and key[0] != "path":
                self.faults.append(f"{name}: was done without {key[1]}, which is required")

    def answer(self, name, status, response, exchange, bare):
        headers = {key.lower(): header for key, header in response.get("headers", {}).items()}
        if str(exchange["status"]) != status:
            self.faults.append(f"{exchange['method']} {exchange['path']}: {exchange['status']}, not {status}")
            return
        for key, value in exchange["headers"].items():
            if key in headers:
                self.fit(f"{name} {status}: header {key}", headers[key]["schema"], value)
            elif key not in FRAMING:
                self.faults.append(f"{name} {status}: header {key} is not documented")
        for key in sorted(key for key, header in headers.items() if header.get("required")):
            if key not in exchange["headers"]:
                self.faults.append(f"{name} {status}: header {key} is missing")
        content = response.get("content", {})
        media = exchange["headers"].get("content-type", "").partition(";")[0]
        if content and media not in content or not content and media:
            self.faults.append(f"{name} {status}: content type {media or 'none'}, not {sorted(content)}")
        self.seen.add((name, status))
        if bare or not content or media not in content:
            if exchange["answer"]:
                self.faults.append(f"{name} {status}: a body where none is documented")
            return
        text = exchange["answer"]
        value = json.loads(text) if media.endswith("json") else text
        self.fit(f"{name} {status}", content[media]["schema"], value)
        if media == "application/problem+json":
            self.seen |= {(name, status, value["code"]), ("anywhere", status, value["code"])}

    def fit(self, what, schema, value):
        try:
            self.document.fits(schema, value)
        except jsonschema.ValidationError as error:
            self.faults.append(f"{what}: {first_line(error)}")

    def missing(self):
        for item in self.whole["paths"].values():
            for operation in (item[method] for method in METHODS if method in item):
                name = operation["operationId"]
                for status, response in operation["responses"].items():
                    codes = problem_codes(response)
                    wanted = {(name, status, code) for code in codes} or {(name, status)}
                    for one in sorted(wanted - self.seen - set(UNPROVOKED)):
                        if status not in COMMON or len(one) == 3 and ("anywhere", *one[1:]) not in self.seen:
                            self.faults.append(f"{' '.join(one)}: documented, never exercised")
                for parameter in item.get("parameters", []) + operation.get("parameters", []):
                    key = (parameter["in"], parameter["name"].lower())
                    common = key in (("header", "moolah-version"), ("header", "traceparent"))
                    if key[0] != "path" and not common and (name, *key) not in self.seen:
                        self.faults.append(f"{name}: parameter {key[1]} was never exercised")
        for one in sorted(set(UNPROVOKED) & self.seen):
            self.faults.append(f"{' '.join(one)} was provoked: take it off UNPROVOKED")


def main(document_path, exchanges_path):
    faults = []
    document = Document(document_path)
    whole = check_document(document, faults)
    if not faults:
        check_catalogue(document, whole, faults)
        check_routes(whole, faults)
        exchanges = Exchanges(document, whole, faults)
        for line in Path(exchanges_path).read_text().splitlines():
            exchanges.check(json.loads(line))
        exchanges.missing()
    if faults:
        print("\n".join(dict.fromkeys(faults)))
        return 1
    print(f"{exchanges.checked} answers fit openapi.yaml: {len(exchanges.seen)} different things seen")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
