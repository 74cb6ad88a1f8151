@echo off
rem Tells how it is doing: status.bat [options of `qanat status`]
setlocal
cd /d "%~dp0"
"%~dp0venv\Scripts\qanat.exe" status %*
exit /b %ERRORLEVEL%
