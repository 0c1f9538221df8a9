package server_test

// The values of the guide "Configure JWT authentication", as they stand there.
const (
	guideJWT = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImFiYyJ9.eyJpc3MiOiJodHRwczovL2p3dC5pby8iLCJhdWQiOiJ2YXVsdDEiLCJzdWIiOiJWYXVsdEFkbWluIiwiZXhwIjoxODkzNDEyNzk5LCJyb2xlcyI6WyJWYXVsdEFkbWluUm9sZSJdfQ.CXTyS-j9rVyJw0VOkysQDUmRiF4GW1jNqPBxD2cRhcG9RwJRFnMx_U0l6h9C--dESGHhf8yeOIgkB_24FpuyyWzc8rPpewa2DzfPJS-iqQD9JjKIParSpp79p6ZfFLwRdHEvME8Xbdj_YVP2IchrEhuk3LwgFIfS1Scq7z9aEsB3h_fARI81hPugzODYkl77vo3D0hb0W9SmZprKuVtCY8NA2-qDK6HWZNXSjVkWJgzLttlzjwfU6WhKCR0cYHgmiE9Mt_tBeHF_m03Y8BqhF2yDQKpOo6ptohUZLYynarhBlApGrOkbs9zQdwKmQwaVlQxRQhnEjcxsIu7HwkYmxg"

	guideIDP = `
[idps]

[idps.app1]
type = "direct-jwt"

[idps.app1.conf]
iss = "https://jwt.io/"
aud = "vault1"
keys = "{\"kty\":\"RSA\",\"n\":\"t3wbPZPZFAKln1dzrEd6sg3FFG0_lqkvFgKaEQB8ZMPnFJm16CMY8C4zjO4TVktsY6klqzFL2mEldLiKJ1ZekiAy0eZgW8Icm6tRkMiYkSTRAcCqxNxKQOS6Yr8q6FMkAcnxWIoJyAwdXj9BWzetCKBfW-vQ3z6CXs0e-ty5JMN7UqxwWPBBeEYxgNrZggR5tyKB3TFMXZFvBAbNM7vxfEy7ObxL60IYMguTKNLJJyYx6AZsDXHt-iW72pmoUhhm_rCuFo4aKqJvGqoYkOSTVigm8OfjD921fWp1v8Remq9hf9hS19VsP4yRL8ogFRnhoGy32FcOugnoo23jaXVG5Q\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"abc\",\"use\":\"sig\"}"
`
)
