/* Runs snippets with Pyodide, off the page's thread: an endless loop cannot freeze the page.
   In: {code, base, wheel, file}, one at a time; file: the address of a module that the code imports, if any.
   Out: {stage, size}, {text, error}, then {done, failed}, or {broken}: this worker is of no more use. */

const LIMIT = 100_000; // characters of output: a page with more gets slow

const RUNNER = `
import ast, importlib, linecache, sys, traceback, types

sys.path.append("/claims")  # where loadFile puts a module

def run(code):
    """Run the code in a namespace of its own; print its last expression as a prompt does. Whether it raised."""
    linecache.cache["snippet"] = len(code), None, code.splitlines(True), "snippet"  # the lines of a traceback
    importlib.invalidate_caches()
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        tree = ast.parse(code, "snippet")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "snippet", "exec"), main.__dict__)
        if last and (value := eval(compile(ast.Expression(last.value), "snippet", "eval"), main.__dict__)) is not None:
            print(repr(value))
        return False
    except BaseException as error:  # sys.exit() too: it must not end the worker
        told = traceback.TracebackException.from_exception(error)
        keep_own_frames(told)
        print("".join(told.format()), end="", file=sys.stderr)
        return True
    finally:
        sys.stdout.flush()

def keep_own_frames(told):
    told.stack[:] = [frame for frame in told.stack if frame.filename == "snippet"]
    for other in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if other:
            keep_own_frames(other)

run
`;

let pyodide = null;
let run = null;
let wheelLoaded = false;
const filesLoaded = new Set();
let written = 0;
let stage = null; // {name, total, bytes} while something loads

function enter(name, total) {
  stage = { name, total, bytes: 0 };
  grow(0);
}

function grow(bytes) {
  if (!stage) return;
  stage.bytes += bytes;
  const size = `${Math.round(stage.bytes / 1e6)}${stage.total ? ` of ${stage.total}` : ""} MB`;
  if (size !== stage.size) postMessage({ stage: `Loading Python (first run only): ${stage.name}`, size });
  stage.size = size;
}

// Pyodide tells no progress, so its fetches are counted: the response itself goes to Pyodide, a copy is counted.
const plainFetch = self.fetch;
self.fetch = async (...request) => {
  const response = await plainFetch(...request);
  const counter = new WritableStream({ write: (part) => grow(part.length) });
  response.clone().body?.pipeTo(counter).catch(() => {}); // who asked for it tells of a broken download
  return response;
};

function writer(error) {
  const decoder = new TextDecoder();
  return (bytes) => {
    if (written < LIMIT) {
      const text = decoder.decode(bytes, { stream: true });
      postMessage({ text: text.slice(0, LIMIT - written), error });
      written += text.length;
      if (written >= LIMIT) postMessage({ text: `\n[Output cut after ${LIMIT / 1000} kB.]\n`, error: true });
    }
    return bytes.length;
  };
}

async function loadCore(base) {
  enter("core", 12); // MB, without the scripts, which are imported and not fetched
  const { loadPyodide } = await import(`${base}pyodide.mjs`);
  const loaded = await loadPyodide({ indexURL: base });
  loaded.setStdout({ write: writer(false) });
  loaded.setStderr({ write: writer(true) });
  run = loaded.runPython(RUNNER);
  pyodide = loaded;
}

async function loadPackages(code) {
  const problems = [];
  // Every module of dlnotes needs NumPy, which the snippet itself may not import.
  const numpy = /^\s*(from\s+dlnotes\b|import\b.*\bdlnotes\.)/m.test(code) ? "import numpy\n" : "";
  await pyodide.loadPackagesFromImports(numpy + code, {
    messageCallback: (text) => text.startsWith("Loading ") && enter(text.slice(8).replace("numpy", "NumPy")),
    errorCallback: (text) => problems.push(text),
  });
  if (problems.length) throw new Error(problems.at(-1)); // the reason comes last
}

async function loadWheel(wheel) {
  enter("dlnotes");
  const response = await fetch(wheel);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  pyodide.unpackArchive(await response.arrayBuffer(), "wheel");
  wheelLoaded = true;
}

async function loadFile(file) {
  enter("the claims");
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  const name = file.split("/").at(-1).replace(/\.txt.*/, ".py");
  pyodide.FS.mkdirTree("/claims");
  pyodide.FS.writeFile(`/claims/${name}`, await response.text());
  filesLoaded.add(file);
}

onmessage = async ({ data: { code, base, wheel, file } }) => {
  let from = base;
  try {
    if (!pyodide) await loadCore(base);
    await loadPackages(code);
    from = wheel;
    if (!wheelLoaded && /^\s*(from|import)\b.*\bdlnotes\b/m.test(code)) await loadWheel(wheel);
    from = file;
    if (file && !filesLoaded.has(file)) await loadFile(file);
  } catch (error) {
    const what = pyodide ? stage?.name ?? "the packages" : "Python";
    const advice = "Check the connection, then press Run again. A school can host its own copy of Python.";
    const told = `Could not load ${what} from ${from} (${error.message}). ${advice}`;
    postMessage(pyodide ? { done: told, failed: true } : { broken: told });
    return;
  }
  stage = null;
  written = 0;
  postMessage({ stage: "Running" });
  const begun = performance.now();
  try {
    const raised = run(code);
    const seconds = ((performance.now() - begun) / 1000).toFixed(2);
    postMessage({ done: raised ? "Ended with an error." : `Done in ${seconds} s.` });
  } catch (error) {
    // Only Pyodide's own end comes here, such as a stack that is too deep for the browser.
    postMessage({ broken: `Python itself stopped: ${error.message}. Press Run to start it again.` });
  }
};
