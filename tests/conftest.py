"What the tests of trust have counted stands below the results."
import os

os.environ.setdefault("OMP_NUM_THREADS", "1") # one process a core: threads would only wait for each other


def pytest_terminal_summary(terminalreporter):
    "Kills survived, corruptions found, bad inputs answered."
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties if report.when == "call" else []:
            terminalreporter.write_line(f"{name}: {value}")
