//! Times of day as three bit sets: the second of a day is in when its hour, its minute and its second are.

/// Seconds in a day as a wall clock has them.
pub(super) const DAY: u32 = 86_400;

/// Times of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    hours: u64,
    minutes: u64,
    seconds: u64,
}

impl Times {
    /// One time of day.
    pub(super) fn at(hour: u8, minute: u8) -> Self {
        Self { hours: 1 << u32::from(hour).min(23), minutes: 1 << u32::from(minute).min(59), seconds: 1 }
    }

    /// The times whose hour, minute and second are in the sets; `None` where a set is empty.
    pub(super) fn of(hours: &[u16], minutes: &[u16], seconds: &[u16]) -> Option<Self> {
        let set = |values: &[u16], below: u16| values.iter().filter(|value| **value < below).fold(0_u64, |set, value| set | 1 << *value);
        let times = Self { hours: set(hours, 24), minutes: set(minutes, 60), seconds: set(seconds, 60) };
        (times.hours != 0 && times.minutes != 0 && times.seconds != 0).then_some(times)
    }

    /// How many there are in a day.
    pub(super) fn per_day(&self) -> u64 {
        ones(self.hours) * ones(self.minutes) * ones(self.seconds)
    }

    /// The first at or after `second` of the day.
    pub(super) fn from(&self, second: u32) -> Option<u32> {
        let (h, m, s) = split(second);
        if second >= DAY {
            return None;
        }
        if has(self.hours, h) {
            if has(self.minutes, m)
                && let Some(s) = up(self.seconds, s)
            {
                return Some(join(h, m, s));
            }
            if let Some(m) = up(self.minutes, m + 1) {
                return Some(join(h, m, low(self.seconds)));
            }
        }
        up(self.hours, h + 1).map(|h| join(h, low(self.minutes), low(self.seconds)))
    }

    /// The last before `second` of the day.
    pub(super) fn before(&self, second: u32) -> Option<u32> {
        let last = second.min(DAY).checked_sub(1)?;
        let (h, m, s) = split(last);
        if has(self.hours, h) {
            if has(self.minutes, m)
                && let Some(s) = down(self.seconds, s + 1)
            {
                return Some(join(h, m, s));
            }
            if let Some(m) = down(self.minutes, m) {
                return Some(join(h, m, high(self.seconds)));
            }
        }
        down(self.hours, h).map(|h| join(h, high(self.minutes), high(self.seconds)))
    }

    /// How many lie before `second` of the day.
    pub(super) fn count_before(&self, second: u32) -> u64 {
        let (h, m, s) = split(second.min(DAY));
        let hour = ones(self.minutes) * ones(self.seconds);
        let mut count = ones(self.hours & below(h)) * hour;
        if has(self.hours, h) {
            count += ones(self.minutes & below(m)) * ones(self.seconds);
            if has(self.minutes, m) {
                count += ones(self.seconds & below(s));
            }
        }
        count
    }
}

fn split(second: u32) -> (u32, u32, u32) {
    (second / 3_600, second / 60 % 60, second % 60)
}

fn join(hour: u32, minute: u32, second: u32) -> u32 {
    hour * 3_600 + minute * 60 + second
}

fn ones(set: u64) -> u64 {
    u64::from(set.count_ones())
}

fn below(bit: u32) -> u64 {
    (1_u64 << bit.min(63)) - 1
}

fn has(set: u64, bit: u32) -> bool {
    bit < 64 && set >> bit & 1 == 1
}

fn up(set: u64, from: u32) -> Option<u32> {
    let rest = set & !below(from);
    (rest != 0).then(|| rest.trailing_zeros())
}

fn down(set: u64, before: u32) -> Option<u32> {
    let rest = set & below(before);
    (rest != 0).then(|| high(rest))
}

fn low(set: u64) -> u32 {
    set.trailing_zeros()
}

fn high(set: u64) -> u32 {
    set.ilog2()
}
