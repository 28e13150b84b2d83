"""Patient and RelatedPerson: who somebody is, which numbers are theirs, who they turned out to be, and who speaks for
them."""

from __future__ import annotations

from typing import Any, Final

from connectors.fhir.codes import LINKS, codes
from connectors.fhir.references import number_of, person_numbers
from connectors.fhir.resource import Told, names_of
from connectors.fhir.shapes import Identifier, Name, Patient, Spoken, Telecom
from connectors.fhir.shapes_told import RelatedPerson
from connectors.hl7.languages import language_codes

_INTERPRETER: Final = "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired"
_PHONE: Final = ("phone", "sms")
_EMAIL: Final = ("email",)
_PAST: Final = ("old", "anonymous")
_LANGUAGES: Final = language_codes()


def read_patient(told: Told, patient: Patient) -> None:
    numbers = person_numbers(patient.identifier)
    reference = told.reference
    names = tuple(dict.fromkeys((*((reference,) if reference else ()), *numbers)))
    if not names:
        raise told.nobody("identifier")
    version = told.fact_time()
    who = _mrn(patient.identifier)
    facts = {
        **who,
        "language": _language(patient.communication),
        "interpreter": _needs_interpreter(patient),
        "phones": _phones(patient.telecom),
        "emails": _reached(patient.telecom, _EMAIL),
        **_named(patient.name),
        "birth_date": patient.birth_date if patient.birth_date and len(patient.birth_date) == 10 else None,
        "identifiers": list(names),
    }
    told.tell("person.updated", names, facts, version)
    died = told.stamp(patient.deceased_date_time, "deceasedDateTime")
    if died is not None or patient.deceased_boolean or patient.deceased_date_time:
        told.tell("person.died", names, dict(who), died if died is not None and died.time <= version.time else version)
    for number, link in enumerate(patient.link or ()):
        kind = told.code(link.type, LINKS, f"link[{number}].type")
        other = told.references.named(link.other)
        if kind == "refer" or other is None or other.type not in (None, "Patient"):
            continue
        others = names_of(other)
        surviving, retired = (others, names) if kind == "replaced-by" else (names, others)
        if set(surviving) == set(retired):
            continue  # somebody who replaces themselves
        type_ = "person.linked" if kind == "seealso" else "person.merged"
        told.tell(type_, surviving, {"surviving": list(surviving), "retired": list(retired)}, version)


def _mrn(identifiers: list[Identifier] | None) -> dict[str, Any]:
    for identifier in identifiers or ():
        if "MR" in codes(identifier.type) and identifier.use != "old" and number_of(identifier):
            return {"mrn": identifier.value, "assigning_authority": identifier.system}
    return {}


def _language(spoken: list[Spoken] | None) -> str | None:
    """The language that is preferred, or the only one, as BCP 47."""
    chosen = [c for c in spoken or () if c.preferred] or (spoken if spoken and len(spoken) == 1 else [])
    for communication in chosen:
        for code in codes(communication.language):
            tag, _, rest = code.replace("_", "-").partition("-")
            known = _LANGUAGES.get(tag.upper())
            if known:
                return f"{known}-{rest}" if rest else known
    return None


def _needs_interpreter(patient: Patient) -> bool | None:
    told = [e.value_boolean for e in patient.extension or () if e.url == _INTERPRETER]
    return next((value for value in told if value is not None), None)


def _phones(telecom: list[Telecom] | None) -> list[str] | None:
    return _reached(telecom, _PHONE)


def _reached(telecom: list[Telecom] | None, systems: tuple[str, ...]) -> list[str] | None:
    """What somebody is reached by now, in its order."""
    found = [
        t.value.strip() for t in telecom or () if t.system in systems and t.use != "old" and t.value and t.value.strip()
    ]
    return list(dict.fromkeys(found)) or None


def _named(written: list[Name] | None) -> dict[str, Any]:
    """The official name in its parts, else the usual one, else the first that is in use."""
    name = _chosen(written, "official", "usual")
    if name is None:
        return {}
    given = next((part.strip() for part in name.given or () if part and part.strip()), None)
    family = name.family.strip() if name.family else None
    if not (family or given) and name.text and name.text.strip():
        return {"name": name.text.strip()}
    return {"family_name": family or None, "given_name": given}


def _chosen(written: list[Name] | None, *uses: str) -> Name | None:
    usable = [name for name in written or () if name.use not in _PAST]
    ranked = (name for use in uses for name in usable if name.use == use)
    return next(ranked, usable[0] if usable else None)


def read_related_person(told: Told, related: RelatedPerson) -> None:
    """Who may be called in a patient's place, and how. One that is active no more speaks for nobody."""
    names = told.person(related.patient, "patient")
    version = told.fact_time()
    period = related.period
    ended = told.stamp(period.end, "period.end") if period is not None else None
    over = ended is not None and ended.time + ended.precision <= version.time
    data: dict[str, Any] = {
        "proxy_id": told.number(),
        "relation": next((c for concept in related.relationship or () for c in codes(concept)), None),
        "name": _name(related.name),
        "phones": _phones(related.telecom),
        "language": _language(related.communication),
        "status": "inactive" if over or related.active is False else "active",
    }
    told.state("proxy.stated", names, data, version=version)


def _name(written: list[Name] | None) -> str | None:
    """The name that somebody is asked for by: the usual one, else the first that is not old."""
    chosen = _chosen(written, "usual")
    if chosen is None:
        return None
    if chosen.text and chosen.text.strip():
        return chosen.text.strip()
    return " ".join(filter(None, (*(chosen.given or ()), chosen.family))) or None
