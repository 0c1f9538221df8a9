package vaultapi

var sysPolicyRows []Row
