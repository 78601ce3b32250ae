# ruff: noqa: E501 - a sample is read in one line
"""PHP configuration as people write it: each sample with what has to be understood, and what must not be claimed."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """`constants` and `variables` are understood; `not_claimed` are constants that only PHP can tell.

    `beside` are further files in the same directory, by name.
    """

    name: str
    php: str
    constants: dict[str, str | int | bool | None] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    not_claimed: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    beside: dict[str, str] = field(default_factory=dict)


SAMPLES = (
    Sample("plain", "<?php\ndefine('A', 'x');\ndefine(\"B\", \"y\");", {"A": "x", "B": "y"}),
    Sample("spaces and case", "<?PHP\n  DEFINE ( 'A' ,\n 'x' ) ;", {"A": "x"}),
    Sample("quotes", r"""<?php define('A', 'it\'s \\ "q" $0 #; \n');""", {"A": r"""it's \ "q" $0 #; \n"""}),
    Sample("escapes", r"""<?php define("A", "a\"b\\c\$d\x41\101\u{e9}\t#");""", {"A": 'a"b\\c$dAA\xe9\t#'}),
    Sample("backslash before others", r"""<?php define("A", "a\qb\'c");""", {"A": r"a\qb\'c"}),
    Sample("line comments", "<?php // define('A', 'old');\n# define('A', 'older');\ndefine('A', 'new');", {"A": "new"}),
    Sample(
        "block comment",
        "<?php /* define('A', 'old');\n */ define('A', 'new'); /* define('B', 'x'); */",
        {"A": "new"},
        absent=("B",),
    ),
    Sample(
        "doc comment that looks closed", "<?php /** '*' / define('A', 'old'); **/ define('A', 'new');", {"A": "new"}
    ),
    Sample(
        "comment in string", "<?php define('A', 'a /* b'); define('B', 'c // d */');", {"A": "a /* b", "B": "c // d */"}
    ),
    Sample(
        "comment ended by the closing tag",
        "<?php // hidden ?>\ndefine('A', 'html');<?php define('B', 'x');",
        {"B": "x"},
        absent=("A",),
    ),
    Sample("the first definition counts", "<?php define('A', 'x'); @define('A', 'y');", {"A": "x"}),
    Sample(
        "outside of PHP",
        "define('A', 'x');\n<?php define('B', 'y'); ?>\ndefine('C', 'z');",
        {"B": "y"},
        absent=("A", "C"),
    ),
    Sample(
        "concatenation",
        "<?php $host = 'db'; define('A', $host . '.' . 'example' . ':' . 3306);",
        {"A": "db.example:3306"},
    ),
    Sample(
        "interpolation",
        "<?php $h = 'db'; define('A', \"$h.example\"); define('B', \"{$h}s\");",
        {"A": "db.example", "B": "dbs"},
    ),
    Sample("interpolation of an entry", "<?php $h = ['a' => 'x']; define('A', \"{$h['a']}\");", not_claimed=("A",)),
    Sample("heredoc", "<?php $v = 'V';\ndefine('A', <<<EOT\none $v\ntwo \"2\"\nEOT);", {"A": 'one V\ntwo "2"'}),
    Sample(
        "nowdoc",
        "<?php define('A', <<<'EOT'\none $v\ndefine('B', 'decoy');\nEOT\n);",
        {"A": "one $v\ndefine('B', 'decoy');"},
        absent=("B",),
    ),
    Sample(
        "indented heredoc", "<?php\n    define('A', <<<EOT\n      one\n        two\n      EOT);\n", {"A": "one\n  two"}
    ),
    Sample("const", "<?php const A = 'x', B = A . 'y';", {"A": "x", "B": "xy"}),
    Sample(
        "values of other types",
        "<?php define('A', true); define('B', 0x1F); define('C', null); define('D', -5);",
        {"A": True, "B": 31, "C": None, "D": -5},
    ),
    Sample(
        "not defined yet",
        "<?php if (!defined('A')) { define('A', 'x'); } if (!defined('A')) define('A', 'y');",
        {"A": "x"},
    ),
    Sample(
        "defined or", "<?php defined('A') || define('A', 'x'); defined('B') or define('B', 'y');", {"A": "x", "B": "y"}
    ),
    Sample(
        "environment decides",
        "<?php if (getenv('X')) { define('A', 'x'); } else { define('A', 'y'); } define('B', 'z');",
        {"B": "z"},
        not_claimed=("A",),
    ),
    Sample(
        "both branches agree", "<?php if (getenv('X')) { define('A', 'x'); } else { define('A', 'x'); }", {"A": "x"}
    ),
    Sample("fallback of the environment", "<?php define('A', getenv('A_FROM_OUTSIDE') ?: 'x');", not_claimed=("A",)),
    Sample(
        "a condition on a file",
        "<?php if (file_exists(__DIR__ . '/here.php')) { require __DIR__ . '/here.php'; } "
        "if (file_exists(__DIR__ . '/gone.php')) { define('A', 'decoy'); }",
        {"A": "here"},
        beside={"here.php": "<?php define('A', 'here');"},
    ),
    Sample(
        "alternative syntax",
        "<?php if (false): define('A', 'x'); elseif (true): define('A', 'y'); else: define('A', 'z'); endif;",
        {"A": "y"},
    ),
    Sample(
        "switch",
        "<?php $e = 'p'; switch ($e) { case 'd': define('A', 'x'); break; case 'p': define('A', 'y'); break; } define('B', 'z');",
        {"B": "z"},
        not_claimed=("A",),
    ),
    Sample(
        "loop",
        "<?php foreach (['A' => 'x', 'B' => 'y'] as $k => $v) { define($k, $v); } define('C', 'z');",
        {"C": "z"},
        not_claimed=("A", "B"),
    ),
    Sample(
        "dead code",
        "<?php if (false) { define('A', 'decoy'); } define('A', 'x'); if (0) define('B', 'decoy');",
        {"A": "x"},
        absent=("B",),
    ),
    Sample("after return", "<?php define('A', 'x'); return; define('B', 'decoy');", {"A": "x"}, absent=("B",)),
    Sample(
        "perhaps returned",
        "<?php define('A', 'x'); if (getenv('X')) { return; } define('B', 'y');",
        {"A": "x"},
        not_claimed=("B",),
    ),
    Sample(
        "function that is never called",
        "<?php function f() { define('A', 'decoy'); } define('B', 'x');",
        {"B": "x"},
        absent=("A",),
    ),
    Sample(
        "function that is called",
        "<?php function f() { define('A', 'y'); } f(); if (!defined('A')) { define('A', 'x'); }",
        not_claimed=("A",),
    ),
    Sample(
        "closure",
        "<?php $f = function () { define('A', 'decoy'); return ['x' => 1]; }; define('B', 'x');",
        {"B": "x"},
        not_claimed=("A",),
    ),
    Sample(
        "required",
        "<?php require __DIR__ . '/db.php'; define('B', 'y');",
        {"A": "x", "B": "y"},
        beside={"db.php": "<?php define('A', 'x');"},
    ),
    Sample(
        "required by a relative name",
        "<?php require_once('db.php'); require_once 'db.php';",
        {"A": "x"},
        beside={"db.php": "<?php define('A', 'x');"},
    ),
    Sample(
        "required through dirname",
        "<?php include dirname(__FILE__) . '/db.php';",
        {"A": "x"},
        beside={"db.php": "<?php define('A', 'x');"},
    ),
    Sample(
        "a file that returns an array",
        "<?php $s = require __DIR__ . '/s.php'; define('A', $s['db']['password']);",
        {"A": "p'w"},
        beside={"s.php": "<?php return ['db' => ['password' => 'p\\'w', 'user' => 'u']];"},
    ),
    Sample("ternary", "<?php define('A', true ? 'x' : 'y'); define('B', 1 > 2 ? 'x' : 'y');", {"A": "x", "B": "y"}),
    Sample(
        "coalescing",
        "<?php $c = ['a' => 'x']; define('A', $c['a'] ?? 'y'); define('B', $c['b'] ?? 'z');",
        {"A": "x", "B": "z"},
    ),
    Sample(
        "arrays",
        "<?php $c = array('a' => array('b' => 'x')); $c['a']['c'] = 'y'; define('A', $c['a']['b'] . $c['a']['c']);",
        {"A": "xy"},
    ),
    Sample("overwritten", "<?php $p = 'old_'; $p = 'new_'; define('A', $p);", {"A": "new_"}, {"p": "new_"}),
    Sample("appended", "<?php $p = 'a'; $p .= 'b'; define('A', $p);", {"A": "ab"}, {"p": "ab"}),
    Sample("by reference", "<?php $a = 'x'; $b = &$a; $b = 'y'; define('A', 'z');", {"A": "z"}, not_claimed=()),
    Sample("chained", "<?php $a = $b = 'x'; define('A', $a . $b);", {"A": "xx"}),
    Sample(
        "several at once",
        "<?php [$a, $b] = ['x', 'y']; define('A', $a); define('B', 'z');",
        {"B": "z"},
        not_claimed=("A",),
    ),
    Sample("unset", "<?php $a = 'x'; unset($a); define('A', isset($a) ? 'x' : 'y');", {"A": "y"}),
    Sample(
        "functions of strings",
        "<?php define('A', rtrim(strtolower('AB/'), '/')); define('B', str_replace('a', 'b', 'aca'));",
        {"A": "ab", "B": "bcb"},
    ),
    Sample("computed", "<?php define('A', base64_decode('eA==')); define('B', 'y');", {"B": "y"}, not_claimed=("A",)),
    Sample(
        "object",
        "<?php $o = new DateTime('now'); define('A', $o->format('Y')); define('B', 'x');",
        {"B": "x"},
        not_claimed=("A",),
    ),
    Sample(
        "numeric strings are equal as numbers", "<?php define('A', '1' == '01' ? 'same' : 'other');", not_claimed=("A",)
    ),
    Sample(
        "nothing equals the empty string only",
        "<?php define('A', null == '' ? 'same' : 'other'); define('B', null == '0' ? 'same' : 'other');",
        {"A": "same", "B": "other"},
    ),
    Sample("extract", "<?php $p = 'a_'; extract(['p' => 'b_']); define('A', $p);", not_claimed=("A",)),
    Sample(
        "the rest after halt",
        "<?php define('A', 'x'); __halt_compiler(); define('B', 'decoy');",
        {"A": "x"},
        absent=("B",),
    ),
    Sample("attribute", "<?php #[Pure]\nfunction f() {} define('A', 'x');", {"A": "x"}),
    Sample(
        "try",
        "<?php try { define('A', 'x'); } catch (Exception $e) { define('A', 'y'); } define('B', 'z');",
        {"B": "z"},
        not_claimed=("A",),
    ),
    Sample("no closing semicolon", "<?php define('A', 'x') ?>", {"A": "x"}),
    Sample(
        "precedence of not",
        "<?php if (!defined('A') && !defined('B')) define('A', 'x'); define('B', 'a' . 1 + 0 === 0 ? 'y' : 'n');",
        {"A": "x"},
        not_claimed=(),
    ),
    Sample(
        "a case that ends the program",
        "<?php switch (getenv('X')) { case 'a': exit(1); case false: define('A', 'y'); break; default: define('A', 'z'); } define('A', 'decoy');",
        not_claimed=("A",),
    ),
    Sample(
        "switch with endswitch",
        "<?php switch (1): case 1: define('A', 'x'); break; endswitch; define('B', 'y');",
        {"B": "y"},
        not_claimed=("A",),
    ),
    Sample(
        "what is caught",
        "<?php try { throw new Exception('x'); } catch (Exception $e) { define('A', 'x'); } finally { define('B', 'y'); } define('A', 'decoy');",
        not_claimed=("A", "B"),
    ),
    Sample(
        "eval",
        "<?php $p = 'a_'; eval('$p = 'b_'; define('A', $p);'); if (!defined('A')) { define('A', 'decoy'); } define('B', $p);",
        not_claimed=("A", "B"),
    ),
    Sample(
        "relative paths in conditions",
        "<?php if (is_file('here.php') && !is_dir('gone')) { define('A', basename(realpath('here.php'))); }",
        {"A": "here.php"},
        beside={"here.php": ""},
    ),
    Sample(
        "a loop that is left",
        "<?php while (true) { if (defined('A')) { break; } define('A', 'x'); } define('B', 'y');",
        {"B": "y"},
        not_claimed=("A",),
    ),
    Sample(
        "do",
        "<?php $i = 0; do { $i++; define('A', 'x'); } while ($i < 1); define('B', 'y');",
        {"B": "y"},
        not_claimed=("A",),
    ),
    Sample(
        "a static method",
        "<?php class C { static function set() { define('A', 'y'); } } C::set(); defined('A') or define('A', 'decoy');",
        not_claimed=("A",),
    ),
)
