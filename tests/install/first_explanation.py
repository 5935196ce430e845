"""first_explanation.py SOURCE: the installed package loads a model and explains a picture; it is complete and small."""

import os
import sys
import time

began = time.perf_counter()
import salience
seconds = time.perf_counter() - began
assert "numpy" not in sys.modules, "import salience brings numpy along"
package = os.path.dirname(salience.__file__)
assert "site-packages" in package, package
size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(package) for name in names)
assert size <= 80e6, f"{size} bytes installed"

golden = os.path.join(sys.argv[1], "tests", "golden", "methods")
model = salience.load(os.path.join(golden, "model.onnx"), preprocess={"size": [32, 32]})
e = model.explain(os.path.join(sys.argv[1], "examples", "images", "dog_and_cat.png"))
e.save("heat.png")
assert os.path.getsize("heat.png") > 1000 and e.map.shape == (1, 32, 32)
assert salience._lib.labels_folder.startswith(package) and os.listdir(salience._lib.labels_folder)
with open(f"/proc/{os.getpid()}/maps", encoding="utf-8") as maps:
    ours = {line.split()[-1] for line in maps if "libsalience" in line or "libdnnl" in line}
print("libraries:", *sorted(os.path.relpath(path, package) for path in ours))
print(f"import {seconds:.3f} s, installed {size / 1e6:.1f} MB")
