"""The bill of materials names every package that the list of packages names, with version and licence (S17)."""

import json
import pathlib
import subprocess
import sys
import unittest
import urllib.parse

ROOT = pathlib.Path(sys.argv.pop())


class BillOfMaterials(unittest.TestCase):
    def test_names_each_package_once_with_its_version_and_licence(self):
        lines = (ROOT / "packaging" / "debian-12.txt").read_text().splitlines()
        packages = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
        bill = json.loads(subprocess.run([ROOT / "tools" / "sbom"], check=True, capture_output=True).stdout)
        self.assertEqual([component["name"] for component in bill["components"]], packages)
        for component in bill["components"]:
            self.assertRegex(component["version"], r"\d")
            self.assertRegex(component["licenses"][0]["license"]["name"], r"\w")
            self.assertIn("@" + urllib.parse.quote(component["version"], safe="") + "?", component["purl"])

    def test_is_the_same_each_time(self):
        first, second = (subprocess.run([ROOT / "tools" / "sbom"], check=True, capture_output=True).stdout for _ in range(2))
        self.assertEqual(first, second)


if __name__ == "__main__":
    unittest.main()
