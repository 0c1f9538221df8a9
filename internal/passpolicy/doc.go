// Package passpolicy makes passwords by rules that an operator wrote down.
//
// A policy says how long a password is and from which sets its characters
// come, some of them at least so many times. What cannot be satisfied is
// refused when the policy is written: whoever asks for a password gets one.
package passpolicy
