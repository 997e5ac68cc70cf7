#!/usr/bin/env bash
# cel-expr-python 0.1.3 gives CEL a text only up to its first NUL character, without an error: an expression that looks for
# DROP in a statement does not see what stands behind one. And a value of lists nested 10,000 deep, which any JSON can
# hold, ends the process with a segmentation fault. Code that evaluates values of other people has to look for both first.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cel-expr-python==0.1.3
cat > run.py <<'PY'
import sys
from cel_expr_python import cel
env = cel.NewEnv(variables={"args": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
if sys.argv[1] == "text":
    args = {"sql": "SELECT 1\0; DROP TABLE x"}
    for expression in ("size(args.sql)", "args.sql.contains('DROP')"):
        print(expression, env.compile(expression).eval(data={"args": args}).plain_value())
else:
    value = []
    for _ in range(10_000):
        value = [value]
    print(env.compile("args.n == 1").eval(data={"args": {"n": 1, "value": value}}).plain_value())
PY
venv/bin/python run.py text | tee seen.txt
grep -qx "size(args.sql) 8" seen.txt
grep -qx "args.sql.contains('DROP') False" seen.txt
code=0; venv/bin/python run.py nested 2>/dev/null || code=$?
echo "nested 10,000 deep: the process ended with $code"
test "$code" = 139
