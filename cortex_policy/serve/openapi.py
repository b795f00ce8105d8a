"""The paths of the server, and their description for programs (OpenAPI 3.1)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EVALUATION, EVALUATIONS = "/access/v1/evaluation", "/access/v1/evaluations"
ACTION_SEARCH = "/access/v1/search/action"
METADATA = "/.well-known/authzen-configuration"
HEALTH, READY, METRICS, OPENAPI = "/healthz", "/readyz", "/metrics", "/openapi.json"

_OBJECT = {"type": "object"}
_STRING = {"type": "string"}
_SCHEMAS = "#/components/schemas/"


def make_openapi_document() -> "dict[str, Any]":
    """Return the description of all paths."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cortex-policy",
            "version": "1.0",
            "summary": "AuthZEN Authorization API 1.0: may this tool do this?",
        },
        "paths": {
            EVALUATION: _post("Evaluate one call.", "EvaluationRequest", "Decision"),
            EVALUATIONS: _post("Evaluate several calls.", "EvaluationsRequest", "Answers"),
            ACTION_SEARCH: _post("Find the actions of a grant that would be allowed.", "SearchRequest", "Results"),
            METADATA: _get("What this decision point can do.", "application/json"),
            HEALTH: _get("Whether the process answers.", "application/json"),
            READY: _get(
                "Whether calls can be decided.", "application/json", {"503": _content("They cannot.", _OBJECT)}
            ),
            METRICS: _get("Counts for Prometheus.", "text/plain"),
            OPENAPI: _get("This document.", "application/json"),
        },
        "components": {
            "schemas": {**_request_schemas(), **_answer_schemas()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _post(summary: str, request: str, answer: str) -> "dict[str, Any]":
    identifier = {
        "name": "X-Request-ID",
        "in": "header",
        "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,254}[!-~])?$"},
    }
    return {
        "post": {
            "summary": summary,
            "parameters": [identifier],
            "requestBody": {"required": True, "content": {"application/json": {"schema": _reference(request)}}},
            "responses": {
                "200": _content("The answer; a denial too.", _reference(answer)),
                **{code: _text(why) for code, why in _ERRORS.items()},
            },
        }
    }


_ERRORS = {
    "400": "The request is invalid.",
    "401": "The bearer token is missing or wrong.",
    "403": "`Host` or `Origin` is not that of this server.",
    "413": "The request is too long.",
    "500": "A bug: nothing is allowed.",
    "503": "There are too many requests at once, or the request took too long: nothing is allowed.",
}


def _get(summary: str, kind: str, more: "dict[str, Any] | None" = None) -> "dict[str, Any]":
    content = {kind: {"schema": _OBJECT if kind == "application/json" else _STRING}}
    refused = {code: _text(_ERRORS[code]) for code in ("400", "401", "403", "500", "503")}
    return {
        "get": {
            "summary": summary,
            "responses": {"200": {"description": "The answer.", "content": content}, **refused, **(more or {})},
        }
    }


def _content(description: str, schema: "dict[str, Any]") -> "dict[str, Any]":
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _text(description: str) -> "dict[str, Any]":
    return {"description": description, "content": {"text/plain": {"schema": _STRING}}}


def _reference(name: str) -> "dict[str, str]":
    return {"$ref": f"{_SCHEMAS}{name}"}


def _entity(*members: str) -> "dict[str, Any]":
    properties = dict.fromkeys(members, _STRING)
    return {"type": "object", "required": list(members), "properties": {**properties, "properties": {}}}


def _request_schemas() -> "dict[str, Any]":
    entities = {
        "subject": _reference("Subject"),
        "resource": _reference("Resource"),
        "action": _reference("Action"),
        "context": _reference("Arguments"),
    }
    return {
        "Subject": _entity("type", "id"),
        "Resource": _entity("type", "id"),
        "Action": _entity("name"),
        "Arguments": {"type": "object", "properties": {"consume": {"type": "boolean"}}},
        "EvaluationRequest": {
            "type": "object",
            "required": ["subject", "resource", "action"],
            "properties": entities,
        },
        "EvaluationsRequest": {"anyOf": [_request_without_items(), _request_with_items()]},
        "SearchRequest": {
            "type": "object",
            "required": ["subject", "resource"],
            "properties": {name: entities[name] for name in ("subject", "resource", "context")},
        },
    }


def _request_without_items() -> "dict[str, Any]":
    no_items = {"properties": {"evaluations": {"type": "array", "maxItems": 0}}}
    return {"allOf": [_reference("EvaluationRequest"), no_items]}


def _request_with_items() -> "dict[str, Any]":
    return {
        "type": "object",
        "required": ["evaluations"],
        "properties": {
            # an item that is wrong is denied, so that each of them may be anything
            "evaluations": {"type": "array", "minItems": 1, "maxItems": 1000, "items": {}},
            "options": {"type": "object", "properties": {"evaluations_semantic": {"enum": _SEMANTICS}}},
        },
    }


def _answer_schemas() -> "dict[str, Any]":
    decision = {"decision": {"type": "boolean"}, "context": _OBJECT}
    return {
        "Decision": {"type": "object", "required": ["decision"], "properties": decision},
        "Answers": {
            "anyOf": [
                _reference("Decision"),
                {
                    "type": "object",
                    "required": ["evaluations"],
                    "properties": {"evaluations": {"type": "array", "items": _reference("Decision")}},
                },
            ]
        },
        "Results": {
            "type": "object",
            "required": ["results"],
            "properties": {
                "results": {"type": "array", "items": _entity("name")},
                "page": {"type": "object", "required": ["next_token"], "properties": {"next_token": _STRING}},
            },
        },
    }


_SEMANTICS = ["execute_all", "deny_on_first_deny", "permit_on_first_permit"]
