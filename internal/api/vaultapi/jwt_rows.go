package vaultapi

var jwtRows []Row
