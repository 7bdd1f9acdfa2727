// Package auth decides who may do what: role × project × route. Every
// route states its permission and its body limit (Route); a route without them
// cannot be registered.
//
// Accounts have roles (role.go has the one table of roles and permissions), in a
// project or in all of them, and sign in with a password, a token, or a browser's
// session. Passwords are kept as Argon2id, the others as digests; guesses are slowed
// for each account and address. From the first account on, who sends no credentials
// gets what is public alone.
//
// Without accounts the rules are those of one machine. A request from
// the loopback, to a loopback host and not forwarded by a proxy, may read, track,
// predict and send labels. What runs code, deploys, exports or sets event time
// needs the token in a file that only the owner of the data directory can read,
// which the command line does by itself. A step has a token of its own that works
// for that attempt alone and dies with it.
//
// Package auth owns the tables token, account, role_grant and credential. Start
// reading in guard.go.
package auth
