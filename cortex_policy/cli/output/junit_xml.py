"""A suite of tests as JUnit XML, in a form that both Ant's schema and Jenkins accept."""

from xml.etree import ElementTree as ET

from cortex_policy.core.text import escape_unprintable, escape_xml_output

# Ant's schema asks for both; the same report is the same text everywhere
_FIXED_ATTRIBUTES = {"timestamp": "1970-01-01T00:00:00", "hostname": "localhost", "time": "0"}
# what is not printable, and can be written all the same: DEL, C1, separators, bidi marks and other formats
_WRITABLE = frozenset(map(chr, (9, 10, *range(0x7F, 0xD800), *range(0xE000, 0xFFFE))))


def format_junit_document(command: str, cases: list[ET.Element], output: str) -> str:
    """Return the tests of a command as an XML document, with its other output as the suite's output."""
    name = f"cortex-policy.{command}"
    failures = str(sum(len(case) for case in cases))
    numbers = {"id": "0", "package": name, "tests": str(len(cases)), "failures": failures, "errors": "0"}
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", {"name": name, **numbers, **_FIXED_ATTRIBUTES})
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", {"name": "command", "value": f"cortex-policy {command}"})
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = output
    ET.SubElement(suite, "system-err")
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{escape_xml_output(ET.tostring(suites, "unicode"))}\n'


def escape_characters_xml_forbids(value: str) -> str:
    """Return a value with the characters escaped that XML cannot contain."""
    return "".join(one if one.isprintable() or one in _WRITABLE else escape_unprintable(one) for one in value)
