"""A session of the database that holds what the product wants."""
import subprocess

from harness import true


class Held:
    """with Held(product, "SELECT … FOR UPDATE"): it keeps its locks meanwhile."""

    def __init__(self, product, statement):
        self.process = subprocess.Popen(["mariadb", "--no-defaults", "--socket=%s/run/mariadb.sock" % product.state,
                                         "--user=root", "--batch", "--skip-column-names", "--unbuffered", "connect"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write("BEGIN;\n%s;\nSELECT 'held';\n" % statement)
        self.process.stdin.flush()
        while self.process.stdout.readline().strip() != "held":
            true(self.process.poll() is None, "the session lives")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
