// Package auth decides who may do what: role or token × project × route. Every
// route states its permission and its body limit (Route); a route without them
// cannot be registered.
//
// Until there are accounts the rules are those of one machine. A request from
// the loopback, to a loopback host and not forwarded by a proxy, may read, track,
// predict and send labels. What runs code, deploys, exports or sets event time
// needs the token in a file that only the owner of the data directory can read,
// which the command line does by itself. A step has a token of its own that works
// for that attempt alone and dies with it.
//
// Package auth owns the table token. Start reading in guard.go.
package auth
