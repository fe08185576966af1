"""A page in headless Chromium: what a script in it finds."""

import json
import re
import shutil
import subprocess

NAMES = "chromium", "chromium-browser", "google-chrome"

#: Before all else of the page: what goes wrong is kept
WATCH = """<script>
window.problems = [];
addEventListener("error", e => problems.push("error " + e.message), true);
addEventListener("securitypolicyviolation",
  e => problems.push("request " + e.blockedURI));
for (const name of ["error", "warn"]) {
  console[name] = (...words) => problems.push(name + " " + words.join(" "));
}
</script>"""

#: After all else: a test's script, and what it returns
REPORT = """<script>
addEventListener("load", async () => {
  const found = await (async () => { SCRIPT })();
  const note = document.createElement("pre");
  note.id = "found";
  note.textContent = JSON.stringify({found, problems});
  document.body.append(note);
});
</script>"""


def find_browser():
    """The path of a browser, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def run_in_page(page, script, folder, width=1280):
    """Runs JavaScript in a copy of a page.

    Returns what it returned, what went wrong in the page, and what the
    browser wrote on its console.
    """
    text = page.read_text(encoding="utf-8")
    text = text.replace("<head>", "<head>" + WATCH, 1)
    report = REPORT.replace("SCRIPT", script)
    copy = folder / "page.html"
    copy.write_text(text.replace("</body>", report + "</body>"), "utf-8")
    run = subprocess.run(
        [
            find_browser(),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            "--virtual-time-budget=20000",
            "--enable-logging=stderr",
            "--dump-dom",
            copy.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    found = re.search(r'<pre id="found">(.*?)</pre>', run.stdout, re.DOTALL)
    assert found, run.stderr
    unescaped = found[1]
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        unescaped = unescaped.replace(entity, sign)
    answer = json.loads(unescaped)
    console = [line for line in run.stderr.splitlines() if ":CONSOLE" in line]
    return answer["found"], answer["problems"], console
