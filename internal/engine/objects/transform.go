package objects

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// transform shows part of a value. It takes the text of a normalised value and
// returns JSON.
type transform func(s string, now time.Time) []byte

// masks is the set of transformations of a type that only has a mask.
func masks(f func(string) string) map[string]transform {
	return map[string]transform{"mask": asText(f)}
}

func asText(f func(string) string) transform {
	return func(s string, _ time.Time) []byte {
		q, _ := jsontext.AppendQuote(nil, f(s))
		return q
	}
}

var birth = map[string]transform{
	"mask": asText(maskDate),
	"age": func(s string, now time.Time) []byte {
		return strconv.AppendInt(nil, int64(age(s, now)), 10)
	},
	"age_frac": func(s string, now time.Time) []byte {
		return []byte(jsontext.Float(math.Floor(age(s, now)*100) / 100).String())
	},
}

// age returns the years since the day s; a day in the future is age 0.
func age(s string, now time.Time) float64 {
	born, err := time.Parse(time.DateOnly, s)
	if err != nil || now.Before(born) {
		return 0
	}
	now = now.UTC()
	years := now.Year() - born.Year()
	birthday := born.AddDate(years, 0, 0)
	if now.Before(birthday) {
		years--
		birthday = born.AddDate(years, 0, 0)
	}
	year := born.AddDate(years+1, 0, 0).Sub(birthday)
	return float64(years) + float64(now.Sub(birthday))/float64(year)
}

func stars(n int) string { return strings.Repeat("*", max(n, 0)) }

func maskAll(s string) string { return "****" }

func maskEmail(s string) string {
	local, domain, _ := strings.Cut(s, "@")
	_, size := utf8.DecodeRuneInString(local)
	return local[:size] + stars(10) + "@" + domain
}

func maskPhone(s string) string { return "***-****-" + last4(s) }

func maskSSN(s string) string { return "***-**-" + last4(s) }

func maskZip(s string) string { return s[:3] + "**" }

func maskDate(s string) string { return s[:4] + "-**-**" }

// maskLast4 hides all but the last four characters, and everything of a value
// so short that these would be half of it.
func maskLast4(s string) string {
	if len(s) < 8 {
		return stars(len(s))
	}
	return stars(len(s)-4) + last4(s)
}

func last4(s string) string { return s[max(len(s)-4, 0):] }

func maskName(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		r, size := utf8.DecodeRuneInString(w)
		words[i] = string(r) + stars(utf8.RuneCountInString(w[size:]))
	}
	return strings.Join(words, " ")
}
