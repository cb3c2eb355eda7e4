//! Words for the codes of the weather: WMO code table 4677, as far as forecasts use it.

/// Code, English, Chinese.
const CODES: &[(u8, &str, &str)] = &[
    (0, "clear sky", "晴"),
    (1, "mainly clear", "大部晴朗"),
    (2, "partly cloudy", "多云"),
    (3, "overcast", "阴"),
    (45, "fog", "雾"),
    (48, "depositing rime fog", "雾凇"),
    (51, "light drizzle", "小毛毛雨"),
    (53, "drizzle", "毛毛雨"),
    (55, "dense drizzle", "大毛毛雨"),
    (56, "light freezing drizzle", "小冻毛毛雨"),
    (57, "dense freezing drizzle", "大冻毛毛雨"),
    (61, "light rain", "小雨"),
    (63, "rain", "中雨"),
    (65, "heavy rain", "大雨"),
    (66, "light freezing rain", "小冻雨"),
    (67, "heavy freezing rain", "大冻雨"),
    (71, "light snow", "小雪"),
    (73, "snow", "中雪"),
    (75, "heavy snow", "大雪"),
    (77, "snow grains", "米雪"),
    (80, "light rain showers", "小阵雨"),
    (81, "rain showers", "阵雨"),
    (82, "violent rain showers", "强阵雨"),
    (85, "light snow showers", "小阵雪"),
    (86, "heavy snow showers", "大阵雪"),
    (95, "thunderstorm", "雷暴"),
    (96, "thunderstorm with light hail", "雷暴伴小冰雹"),
    (99, "thunderstorm with heavy hail", "雷暴伴大冰雹"),
];

/// The weather of a code in English; a code that is not known is named as such.
pub fn words(code: u8) -> String {
    let found = CODES.iter().find(|(known, ..)| *known == code);
    found.map_or_else(|| format!("weather code {code}"), |(_, english, _)| (*english).to_owned())
}

/// The Chinese words for what [`words`] says.
pub fn chinese(english: &str) -> Option<&'static str> {
    CODES.iter().find(|(_, known, _)| *known == english).map(|(.., chinese)| *chinese)
}

/// From where the wind blows, by degrees clockwise from north: English, Chinese.
pub fn wind_from(degrees: f64) -> (&'static str, &'static str) {
    const POINTS: [(&str, &str); 8] = [
        ("north", "北"),
        ("northeast", "东北"),
        ("east", "东"),
        ("southeast", "东南"),
        ("south", "南"),
        ("southwest", "西南"),
        ("west", "西"),
        ("northwest", "西北"),
    ];
    let eighth = degrees.rem_euclid(360.0) / 45.0;
    // Half an eighth to either side belongs to a point.
    let nearest = (0_u8..8).find(|point| (eighth - f64::from(*point)).abs() <= 0.5).unwrap_or(0);
    POINTS.get(usize::from(nearest)).copied().unwrap_or(POINTS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_winds_have_words() {
        assert_eq!(words(61), "light rain");
        assert_eq!(chinese(&words(61)), Some("小雨"));
        assert_eq!(words(42), "weather code 42");
        assert_eq!(chinese("weather code 42"), None);
        for (degrees, point) in
            [(0.0, "north"), (359.0, "north"), (22.0, "north"), (23.0, "northeast"), (225.0, "southwest"), (720.0, "north")]
        {
            assert_eq!(wind_from(degrees).0, point, "{degrees}");
        }
    }
}
