"""simple-salesforce against the sandbox: what it reads of each answer.

python salesforce_client.py LOGIN_URL CLIENT_ID CLIENT_SECRET CONTROL_URL USERNAME KEY_FILE
"""

import warnings

import requests
from common import arguments, control, order, refusal, same
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)

LOGIN, CLIENT_ID, CLIENT_SECRET, CONTROL, USERNAME, KEY_FILE = arguments(6)
# The client advises whoever is refused.
warnings.simplefilter("ignore")
HOST = "https://acme.my.salesforce.com"


class Plain(HTTPAdapter):
    """Sends what the client sends by TLS to the sandbox, which has none."""

    def send(self, request, **kwargs):
        url = request.url
        url = LOGIN + url.removeprefix(HOST) if url.startswith(HOST) else url.replace("https://", "http://", 1)
        request.url = url
        return super().send(request, **kwargs)


def connect(**credentials):
    session = requests.Session()
    session.mount("https://", Plain())
    return Salesforce(domain="acme.my", version="66.0", session=session, **credentials)


def by_secret(secret=CLIENT_SECRET):
    return connect(consumer_key=CLIENT_ID, consumer_secret=secret)


def login():
    stranger = refusal(SalesforceAuthenticationFailed, lambda: by_secret("another"))
    same(stranger.code, "invalid_client")
    signed = connect(username=USERNAME, consumer_key=CLIENT_ID, privatekey_file=KEY_FILE)
    same(signed.Lead.describe()["name"], "Lead")
    wrong = refusal(
        SalesforceAuthenticationFailed,
        lambda: connect(username="nobody@acme.com", consumer_key=CLIENT_ID, privatekey_file=KEY_FILE),
    )
    same(wrong.code, "invalid_grant")
    outdated = Salesforce(
        instance=LOGIN.removeprefix("http://"), session_id="old", version="66.0", session=by_secret().session
    )
    error = refusal(SalesforceExpiredSession, lambda: outdated.query("SELECT Id FROM Lead WHERE Id = '1'"))
    same(error.content[0]["errorCode"], "INVALID_SESSION_ID")


def descriptions(sf):
    assert {"Lead", "Contact", "Account"} <= {found["name"] for found in sf.describe()["sobjects"]}
    fields = {field["name"]: field for field in sf.Lead.describe()["fields"]}
    key = fields["WA_Id__c"]
    same([key["externalId"], key["unique"], key["updateable"]], [True, True, True])
    same([fields["ConvertedContactId"]["updateable"], fields["Company"]["nillable"]], [False, False])
    same(sf.Contact.describe()["keyPrefix"], "003")
    absent = refusal(SalesforceResourceNotFound, lambda: sf.Nothing__c.describe())
    same(absent.content[0]["errorCode"], "NOT_FOUND")
    daily = sf.limits()["DailyApiRequests"]
    assert daily["Max"] == 100000 and daily["Remaining"] < daily["Max"], daily
    assert sf.api_usage["api-usage"].total == 100000, sf.api_usage


def records(sf):
    made = sf.Lead.create({"LastName": "Silva", "Company": "n/a", "Phone": "(415) 555-2671"})
    same([made["success"], made["errors"]], [True, []])
    same(sf.Lead.get(made["id"])["LastName"], "Silva")
    same(sf.Lead.update(made["id"], {"FirstName": "Ana"}), 204)
    same(sf.Lead.get(made["id"])["FirstName"], "Ana")
    for fields, code in [
        ({"LastName": "Silva"}, "REQUIRED_FIELD_MISSING"),
        ({"LastName": "S" * 81, "Company": "n/a"}, "STRING_TOO_LONG"),
        ({"LastName": "\U0001f600" * 41, "Company": "n/a"}, "STRING_TOO_LONG"),
        ({"LastName": "S", "Company": "n/a", "Email": "ann"}, "INVALID_EMAIL_ADDRESS"),
        ({"LastName": "S", "Company": "n/a", "Status": "None"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        ({"LastName": "S", "Company": "n/a", "None__c": "x"}, "INVALID_FIELD"),
        ({"LastName": "S", "Company": "n/a", "IsConverted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ]:
        wrong = refusal(SalesforceMalformedRequest, lambda: sf.Lead.create(fields))
        same(wrong.content[0]["errorCode"], code)

    # By the external id: created, then updated.
    lead = {"LastName": "Silva", "Company": "n/a"}
    same(sf.Lead.upsert("WA_Id__c/p1", lead), 201)
    same(sf.Lead.upsert("WA_Id__c/p1", {**lead, "Phone": "+1"}), 200)
    known = sf.Lead.get_by_custom_id("WA_Id__c", "p1")
    same([known["Phone"], known["attributes"]["type"]], ["+1", "Lead"])
    absent = refusal(SalesforceResourceNotFound, lambda: sf.Lead.get_by_custom_id("WA_Id__c", "none"))
    same(absent.content[0]["errorCode"], "NOT_FOUND")
    return made["id"], known["Id"]


def collections(sf):
    def upsert(*leads):
        whole = [{"attributes": {"type": "Lead"}, "LastName": "Silva", "Company": "n/a", **lead} for lead in leads]
        return sf.restful(
            "composite/sobjects/Lead/WA_Id__c",
            method="PATCH",
            json={"allOrNone": False, "records": whole},
        )

    mixed = upsert({"WA_Id__c": "p2"}, {"WA_Id__c": "p3", "Company": None}, {"WA_Id__c": "p1"})
    same([result["success"] for result in mixed], [True, False, True])
    same([mixed[0]["created"], mixed[2]["created"]], [True, False])
    same(mixed[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING")
    twice = upsert({"WA_Id__c": "p4"}, {"WA_Id__c": "p4"})
    same({result["errors"][0]["statusCode"] for result in twice}, {"DUPLICATE_VALUE"})
    unknown = refusal(SalesforceMalformedRequest, lambda: upsert({"WA_Id__c": "p5", "None__c": "x"}))
    same(unknown.content[0]["errorCode"], "INVALID_FIELD")
    return upsert


def queries(sf):
    found = sf.query("SELECT Id, WA_Id__c FROM Lead WHERE WA_Id__c IN ('p1', 'p2', 'none')")
    same([found["totalSize"], found["done"]], [2, True])
    same(sorted(record["WA_Id__c"] for record in found["records"]), ["p1", "p2"])
    for query, code in [
        ("SELECT FROM Lead", "MALFORMED_QUERY"),
        ("SELECT Id FROM Lead WHERE None__c = '1'", "INVALID_FIELD"),
        ("SELECT Company FROM Contact WHERE Id = '1'", "INVALID_FIELD"),
    ]:
        wrong = refusal(SalesforceMalformedRequest, lambda: sf.query(query))
        same(wrong.content[0]["errorCode"], code)


def searches(sf, lead):
    for term in ["4155552671", "5552671"]:
        found = sf.search(f"FIND {{{term}}} IN PHONE FIELDS RETURNING Contact(Id), Lead(Id, Phone ORDER BY CreatedDate)")
        same([record["Id"] for record in found["searchRecords"]], [lead])
        same(found["searchRecords"][0]["attributes"]["type"], "Lead")
        same(found["searchRecords"][0]["Phone"], "(415) 555-2671")
    nothing = sf.search("FIND {4155552672 OR 14155552672} IN PHONE FIELDS RETURNING Lead(Id)")
    same(nothing["searchRecords"], [])
    for search, code in [
        ("FIND 4155552671 IN PHONE FIELDS RETURNING Lead(Id)", "MALFORMED_SEARCH"),
        ("FIND {+14155552671} IN PHONE FIELDS RETURNING Lead(Id)", "MALFORMED_SEARCH"),
        ("FIND {4155552671} IN PHONE FIELDS RETURNING Lead(None__c)", "INVALID_FIELD"),
    ]:
        wrong = refusal(SalesforceMalformedRequest, lambda: sf.search(search))
        same(wrong.content[0]["errorCode"], code)


def pages(sf, upsert):
    for start in range(0, 2100, 200):
        upsert(*[{"WA_Id__c": f"q{n}", "Title": "page"} for n in range(start, min(start + 200, 2100))])
    query = "SELECT Id, WA_Id__c FROM Lead WHERE Title = 'page'"
    same(len(sf.query_all(query)["records"]), 2100)
    same(sum(1 for _ in sf.query_all_iter(query)), 2100)
    same(len(sf.query_all(query, include_deleted=True)["records"]), 2100)


def people(sf, lead, other):
    """What sales do: merge, convert, delete."""
    gone = f"SELECT Id, IsDeleted, MasterRecordId, IsConverted, ConvertedContactId FROM Lead WHERE Id = '%s'"
    control(CONTROL, "merge", {"vendor": "salesforce", "first": lead, "second": other})
    same(sf.query(gone % other)["totalSize"], 0)
    merged = sf.query(gone % other, include_deleted=True)["records"][0]
    same([merged["IsDeleted"], merged["MasterRecordId"]], [True, lead])
    absent = refusal(SalesforceResourceNotFound, lambda: sf.Lead.get(other))
    same(absent.status, 404)
    deleted = refusal(SalesforceResourceNotFound, lambda: sf.Lead.update(other, {"FirstName": "x"}))
    same(deleted.content[0]["errorCode"], "ENTITY_IS_DELETED")

    contact = control(CONTROL, "convert", {"lead": lead})["id"]
    converted = sf.query(gone % lead)["records"][0]
    same([converted["IsConverted"], converted["ConvertedContactId"]], [True, contact])
    found = sf.query("SELECT Id, LastName, Phone, IsPersonAccount FROM Contact WHERE Phone IN ('(415) 555-2671')")
    same([record["Id"] for record in found["records"]], [contact])
    same(found["records"][0]["IsPersonAccount"], False)
    refused = refusal(SalesforceMalformedRequest, lambda: sf.Lead.update(lead, {"FirstName": "x"}))
    same(refused.content[0]["errorCode"], "CANNOT_UPDATE_CONVERTED_LEAD")
    same(sf.Contact.update(contact, {"FirstName": "Anna"}), 204)
    refused = refusal(SalesforceMalformedRequest, lambda: sf.Contact.update(contact, {"Company": "x"}))
    same(refused.content[0]["errorCode"], "INVALID_FIELD")

    # A person account is written by its account.
    made = sf.Lead.create({"LastName": "Costa", "Company": "n/a", "Phone": "+2"})["id"]
    contact = control(CONTROL, "convert", {"lead": made, "person_account": True})["id"]
    person = sf.query(f"SELECT AccountId, IsPersonAccount FROM Contact WHERE Id = '{contact}'")["records"][0]
    same(person["IsPersonAccount"], True)
    refused = refusal(SalesforceMalformedRequest, lambda: sf.Contact.update(contact, {"Phone": "+3"}))
    same(refused.content[0]["errorCode"], "INVALID_PERSON_ACCOUNT_OPERATION")
    same(sf.Account.update(person["AccountId"], {"PersonMobilePhone": "+3"}), 204)
    same(sf.Contact.get(contact)["MobilePhone"], "+3")

    known = sf.Lead.get_by_custom_id("WA_Id__c", "p2")["Id"]
    same(sf.Lead.delete(known), 204)
    same(refusal(SalesforceResourceNotFound, lambda: sf.Lead.delete(known)).content[0]["errorCode"], "ENTITY_IS_DELETED")
    several = sf.restful("composite/sobjects", method="DELETE", params={"ids": f"{contact},{known}"})
    same([result["success"] for result in several], [True, False])
    same(several[1]["errors"][0]["statusCode"], "ENTITY_IS_DELETED")
    same(sf.Lead.upsert("WA_Id__c/p2", {"LastName": "Silva", "Company": "n/a"}), 201)


def faults(sf, upsert):
    for status, kind, code in [
        (403, SalesforceRefusedRequest, "REQUEST_LIMIT_EXCEEDED"),
        (404, SalesforceResourceNotFound, "NOT_FOUND"),
        (503, SalesforceGeneralError, "SERVER_UNAVAILABLE"),
    ]:
        order(CONTROL, "salesforce_upsert", {"type": "status", "status": status})
        error = refusal(kind, lambda: upsert({"WA_Id__c": "p6"}))
        same((error.status, error.content[0]["errorCode"]), (status, code))
    # An expired session is renewed, behind the caller's back.
    old = sf.session_id
    order(CONTROL, "salesforce_upsert", {"type": "token_expired"})
    same(upsert({"WA_Id__c": "p6"})[0]["success"], True)
    assert sf.session_id != old
    order(CONTROL, "salesforce_upsert", {"type": "record_error", "code": "UNABLE_TO_LOCK_ROW"})
    same(upsert({"WA_Id__c": "p6"})[0]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW")
    control(CONTROL, "usage", {"vendor": "salesforce", "requests": 100000})
    spent = refusal(SalesforceRefusedRequest, lambda: upsert({"WA_Id__c": "p6"}))
    same(spent.content[0]["errorCode"], "REQUEST_LIMIT_EXCEEDED")


login()
sf = by_secret()
descriptions(sf)
lead, other = records(sf)
upsert = collections(sf)
queries(sf)
searches(sf, lead)
pages(sf, upsert)
people(sf, lead, other)
faults(sf, upsert)
