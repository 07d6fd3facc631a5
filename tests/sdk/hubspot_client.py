"""HubSpot's client for Python against the sandbox: what it reads of each answer.

python hubspot_client.py BASE_URL TOKEN CONTROL_URL
"""

import json

from common import arguments, control, order, refusal, same
from hubspot import HubSpot
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
    Filter,
    FilterGroup,
    PublicGdprDeleteInput,
    PublicMergeInput,
    PublicObjectSearchRequest,
    SimplePublicObjectBatchInput,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectId,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.contacts import exceptions as contacts_errors
from hubspot.crm.owners import exceptions as owners_errors
from hubspot.crm.properties import exceptions as properties_errors
from hubspot.crm.properties import OptionInput, PropertyCreate, PropertyGroupCreate
from hubspot.oauth import exceptions as oauth_errors

BASE, TOKEN, CONTROL = arguments(3)


def client(token):
    made = HubSpot(access_token=token, host=BASE)
    return made


# The client's exceptions by status; others are an ApiException.
KINDS = {401: "UnauthorizedException", 403: "ForbiddenException", 404: "NotFoundException"}


def refused(errors, status, call):
    """Returns the exception of a call that has to be refused with this status."""
    kind = "ServiceException" if status >= 500 else KINDS.get(status, "ApiException")
    error = refusal(getattr(errors, kind), call)
    same(error.status, status)
    return error


def body(error):
    return json.loads(error.body)


def upsert_input(key, **properties):
    return SimplePublicObjectBatchInputUpsert(
        id=key,
        id_property="wa_id",
        object_write_trace_id=f"trace-{key}",
        properties={"wa_id": key, **properties},
    )


def credentials():
    stranger = refused(contacts_errors, 401, lambda: client("another").crm.contacts.basic_api.get_by_id("1"))
    same(body(stranger)["category"], "INVALID_AUTHENTICATION")
    granted = HubSpot(host=BASE).oauth.tokens_api.create(
        grant_type="refresh_token", client_id="sdk-app", client_secret="sdk-secret", refresh_token="sdk-refresh"
    )
    same(granted.token_type, "bearer")
    client(granted.access_token).crm.owners.owners_api.get_page()
    refused(
        oauth_errors,
        400,
        lambda: HubSpot(host=BASE).oauth.tokens_api.create(
            grant_type="refresh_token", client_id="sdk-app", client_secret="another", refresh_token="sdk-refresh"
        ),
    )


def properties(crm):
    core = crm.properties.core_api
    groups = crm.properties.groups_api
    every = core.get_all("contacts").results
    assert len(every) > 15, every
    same({found.archived for found in every}, {False})
    same(core.get_by_name("contacts", "wa_id").has_unique_value, True)
    refused(properties_errors, 404, lambda: core.get_by_name("contacts", "none"))

    # A group, and properties of one's own, as the portal takes them.
    group = groups.create("contacts", PropertyGroupCreate(name="own", label="Our own", display_order=3))
    same((group.name, group.display_order, group.archived), ("own", 3, False))
    assert "own" in {found.name for found in groups.get_all("contacts").results}
    twice = refused(
        properties_errors,
        409,
        lambda: groups.create("contacts", PropertyGroupCreate(name="own", label="Again", display_order=3)),
    )
    same(body(twice)["category"], "OBJECT_ALREADY_EXISTS")

    def new(name, kind, field_type, group="own", options=None):
        return core.create(
            "contacts",
            PropertyCreate(
                name=name, label=name, type=kind, field_type=field_type, group_name=group, options=options
            ),
        )

    options = [OptionInput(label=value, value=value, display_order=n, hidden=False) for n, value in enumerate("ab")]
    same(new("own_choice", "enumeration", "select", options=options).options[1].value, "b")
    for name, kind, field_type in [
        ("own_text", "string", "text"),
        ("own_number", "number", "number"),
        ("own_flag", "bool", "booleancheckbox"),
        ("own_day", "date", "date"),
        ("own_time", "datetime", "date"),
    ]:
        same(new(name, kind, field_type).type, kind)
    for name, kind, field_type, group, status in [
        ("own_text", "string", "text", "own", 409),
        ("Own", "string", "text", "own", 400),
        ("own_other", "text", "text", "own", 400),
        ("own_other", "number", "select", "own", 400),
        ("own_other", "enumeration", "select", "own", 400),
        ("own_other", "string", "text", "none", 400),
    ]:
        refused(properties_errors, status, lambda: new(name, kind, field_type, group))


def upserts(crm):
    batch = crm.contacts.batch_api

    def upsert(*inputs):
        return batch.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=list(inputs)))

    created = upsert(upsert_input("p1", firstname="Ann", phone="+1"), upsert_input("p2", firstname="Bob"))
    same(created.status, "COMPLETE")
    same([result.new for result in created.results], [True, True])
    same([result.object_write_trace_id for result in created.results], ["trace-p1", "trace-p2"])
    again = upsert(upsert_input("p1", phone="", own_text="x"))
    same((again.results[0].new, again.results[0].id), (False, created.results[0].id))
    # Values of the wrong type, and a property that the portal does not have.
    for name, value in [
        ("own_choice", "c"),
        ("own_number", "many"),
        ("own_flag", "perhaps"),
        ("own_day", "yesterday"),
        ("own_time", "soon"),
        ("email", "ann"),
        ("none", "x"),
    ]:
        partly = upsert(upsert_input("p1", **{name: value}), upsert_input("p2", firstname="Bob"))
        same((name, partly.num_errors, len(partly.results)), (name, 1, 1))
        same(partly.errors[0].category, "VALIDATION_ERROR")
        same(partly.errors[0].context["objectWriteTraceId"], ["trace-p1"])
    for fits in [
        {"own_choice": "b", "own_number": "7.5", "own_flag": "true", "own_day": "2026-11-23"},
        {"own_time": "2026-11-23T10:15:00Z", "email": "ann@example.com"},
    ]:
        same(len(upsert(upsert_input("p1", **fits)).results), 1)
    twice = refused(contacts_errors, 400, lambda: upsert(upsert_input("p5"), upsert_input("p5")))
    same(body(twice)["category"], "VALIDATION_ERROR")
    refused(contacts_errors, 400, lambda: upsert(*[upsert_input(f"m{n}") for n in range(101)]))
    return created.results[0].id


def reads(crm, ann):
    contacts = crm.contacts
    default = contacts.basic_api.get_by_id(ann)
    same(default.properties["firstname"], "Ann")
    named = contacts.basic_api.get_by_id("p1", properties=["own_text", "phone"], id_property="wa_id")
    same((named.id, named.properties["own_text"]), (ann, "x"))
    absent = refused(contacts_errors, 404, lambda: contacts.basic_api.get_by_id("none", id_property="wa_id"))
    same(body(absent)["category"], "OBJECT_NOT_FOUND")
    read = contacts.batch_api.read(
        BatchReadInputSimplePublicObjectId(
            id_property="wa_id",
            inputs=[SimplePublicObjectId(id=key) for key in ["p1", "p2", "none"]],
            properties=["firstname"],
            properties_with_history=[],
        )
    )
    same(sorted(found.properties["firstname"] for found in read.results), ["Ann", "Bob"])
    same((read.num_errors, read.errors[0].context["ids"]), (1, ["none"]))

    def search(name, operator, *values):
        one = {"value": values[0]} if operator == "EQ" else {"values": list(values)}
        filters = [Filter(property_name=name, operator=operator, **one)]
        return contacts.search_api.do_search(
            PublicObjectSearchRequest(
                filter_groups=[FilterGroup(filters=filters)],
                properties=["wa_id"],
                sorts=["createdate"],
                limit=10,
                after="0",
            )
        )

    found = search("firstname", "EQ", "bob")
    same((found.total, found.results[0].properties["wa_id"]), (1, "p2"))
    same(search("email", "IN", "ann@example.com", "bob@example.com").total, 1)
    refused(contacts_errors, 400, lambda: search("none", "EQ", "x"))


def single(crm):
    basic = crm.contacts.basic_api
    made = basic.create(
        SimplePublicObjectInputForCreate(properties={"firstname": "Cy", "wa_id": "p7"}, associations=[])
    )
    same(made.properties["firstname"], "Cy")
    conflict = refused(
        contacts_errors,
        409,
        lambda: basic.create(SimplePublicObjectInputForCreate(properties={"wa_id": "p7"}, associations=[])),
    )
    same(body(conflict)["category"], "CONFLICT")
    changed = basic.update(made.id, SimplePublicObjectInput(properties={"firstname": "Cyd"}))
    same((changed.id, changed.properties["firstname"]), (made.id, "Cyd"))
    updated = crm.contacts.batch_api.update(
        BatchInputSimplePublicObjectBatchInput(
            inputs=[SimplePublicObjectBatchInput(id=made.id, properties={"lastname": "Day"})]
        )
    )
    same(updated.results[0].properties["lastname"], "Day")
    basic.archive(made.id)
    refused(contacts_errors, 404, lambda: basic.get_by_id(made.id))
    # Archiving is the same whether the contact is there.
    basic.archive(made.id)


def merges(crm):
    basic = crm.contacts.basic_api

    def create(**properties):
        return basic.create(SimplePublicObjectInputForCreate(properties=properties, associations=[])).id

    first = create(firstname="Dee", wa_id="p8")
    second = create(firstname="D.", lastname="Ex", wa_id="p9")
    merged = basic.merge(PublicMergeInput(primary_object_id=first, object_id_to_merge=second))
    assert merged.id not in (first, second), merged.id
    for old in (first, second, merged.id):
        found = basic.get_by_id(old, properties=["firstname", "lastname", "wa_id", "hs_merged_object_ids"])
        same(found.id, merged.id)
        same(found.properties["firstname"] + found.properties["lastname"], "DeeEx")
        same(found.properties["wa_id"], "p8")
        same(found.properties["hs_merged_object_ids"], f"{first};{second}")
    # The key of the second is free, so an upsert by it makes a new contact.
    again = crm.contacts.batch_api.upsert(
        BatchInputSimplePublicObjectBatchInputUpsert(inputs=[upsert_input("p9")])
    )
    same(again.results[0].new, True)
    refused(
        contacts_errors,
        404,
        lambda: basic.merge(PublicMergeInput(primary_object_id=merged.id, object_id_to_merge="none")),
    )
    # The deletion for privacy, by a unique value.
    crm.contacts.basic_api.purge(PublicGdprDeleteInput(object_id="p8", id_property="wa_id"))
    refused(contacts_errors, 404, lambda: basic.get_by_id(merged.id))


def owners(crm):
    api = crm.owners.owners_api
    found = api.get_page().results
    same([owner.email for owner in found], ["ana@example.com"])
    same(api.get_by_id(int(found[0].id)).id, found[0].id)
    same(api.get_page(email="nobody@example.com").results, [])
    refused(owners_errors, 404, lambda: api.get_by_id(1))


def faults(crm):
    batch = crm.contacts.batch_api

    def upsert():
        return batch.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=[upsert_input("p6")]))

    for status, category in [(429, "RATE_LIMITS"), (423, "LOCKED"), (403, "MISSING_SCOPES"), (500, "INTERNAL_ERROR")]:
        order(CONTROL, "hubspot_upsert", {"type": "status", "status": status})
        error = refused(contacts_errors, status, upsert)
        same(body(error)["category"], category)
        same(error.headers["x-hubspot-ratelimit-max"], "190")
    order(CONTROL, "hubspot_upsert", {"type": "status", "status": 503, "retry_after_s": 7})
    same(refused(contacts_errors, 503, upsert).headers["retry-after"], "7")
    control(CONTROL, "usage", {"vendor": "hubspot", "requests": 650000})
    daily = refused(contacts_errors, 429, upsert)
    same(body(daily)["policyName"], "DAILY")


credentials()
crm = client(TOKEN).crm
properties(crm)
ann = upserts(crm)
reads(crm, ann)
single(crm)
merges(crm)
owners(crm)
faults(crm)
