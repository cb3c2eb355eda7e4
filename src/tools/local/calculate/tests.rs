//! What the calculator knows, and how it refuses.

use super::evaluate;

#[test]
fn expressions_have_their_values() {
    let check = |expression: &str, value: &str| match evaluate(expression) {
        Ok(found) => assert_eq!(found.to_string(), value, "{expression}"),
        Err(error) => panic!("{expression}: {error}"),
    };
    for (expression, value) in [
        ("1+1", "2"),
        ("0.1 + 0.2", "0.3"),
        ("3*(4+5)", "27"),
        ("3×（4＋5）", "27"),
        ("1/3*3", "1"),
        ("1/3", "0.333333333333333"),
        ("2^10", "1024"),
        ("2**3**2", "512"),
        ("-2^2", "-4"),
        ("2^-2", "0.25"),
        ("7 % 3", "1"),
        ("-7 mod 3", "2"),
        ("12% of 80", "9.6"),
        ("17% of 2,340", "397.8"),
        ("12 percent of 80", "9.6"),
        ("80 + 10%", "88"),
        ("80 - 10%", "72"),
        ("10% + 5%", "0.15"),
        ("50%", "0.5"),
        ("5% - 3", "-2.95"),
        ("1,234,567 + 1", "1234568"),
        ("max(1,200)", "200"),
        ("max(1, 2, 3) - min(4,5)", "-1"),
        ("sqrt(16)", "4"),
        ("√(2)^2", "2"),
        ("sqrt(2)", "1.4142135623731"),
        ("sin(pi)", "0"),
        ("sin(30°)", "0.5"),
        ("cos(60 deg)", "0.5"),
        ("log(1000)", "3"),
        ("log(8, 2)", "3"),
        ("ln(e)", "1"),
        ("5!", "120"),
        ("2(3+4)", "14"),
        ("2pi", "6.28318530717959"),
        ("round(3.14159, 2)", "3.14"),
        ("round(-2.5)", "-3"),
        ("avg(1,2,4)", "2.33333333333333"),
        ("1e3 + 1", "1001"),
        ("2^200", "1.60693804425899e60"),
        ("170141183460469231731687303715884105727 + 1", "1.70141183460469e38"),
        ("1/8", "0.125"),
        ("-1/8", "-0.125"),
        ("3 + 4 =", "7"),
        ("5²", "25"),
    ] {
        check(expression, value);
    }
}

#[test]
fn refusals_name_the_place() {
    let check = |expression: &str, part: &str| {
        let error = evaluate(expression).unwrap_err().to_string();
        assert!(error.contains(part), "{expression}: {error}");
    };
    check("", "empty");
    check("   ", "empty");
    check("3 +", "unexpected end at position 4");
    check("3 + * 4", "unexpected `*` at position 5");
    check("(1 + 2", "closing `)`");
    check("1 2", "unexpected `2` at position 3");
    check("1/0", "division by zero at position 2");
    check("5 % 0", "division by zero at position 3");
    check("foo(1)", "`foo` at position 1");
    check("sqrt(-1)", "no real value");
    check("(-8)^0.5", "no real value");
    check("0^-1", "no real value");
    check("min()", "takes 1 to 200 arguments, not 0");
    check("sqrt 4", "a `(` was expected");
    check("171!", "no real value");
    check("1e308*1e308", "too large");
    check(&"(".repeat(100), "nests deeper");
    check(&"-".repeat(999), "nests deeper");
    check(&"1+".repeat(600), "longer than");
    check("1 = 2", "unexpected `=`");
}

#[test]
fn no_text_breaks_the_calculator() {
    proptest::proptest!(|(text in "[-+*/%^()!., 0-9a-eπ√²°]{0,60}")| {
        if let Ok(number) = evaluate(&text) {
            proptest::prop_assert!(number.is_finite());
        }
    });
}

#[test]
fn small_sums_agree_with_whole_numbers() {
    proptest::proptest!(|(a in -10_000_i64..10_000, b in -10_000_i64..10_000, c in 1_i64..10_000)| {
        let expected = ((a + b) * c - b).to_string();
        proptest::prop_assert_eq!(evaluate(&format!("({a} + {b}) * {c} - {b}")).map(|n| n.to_string()), Ok(expected));
    });
}
